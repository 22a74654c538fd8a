"""The joint space of the `mini` preset: CLIP's view of a name, its meaning in words, its colour.

A vector is `[w_c * clip, w_s * sentence, w_a * colour]`, unit length.

- clip: CLIP ViT-B/32 row of the name (mean removed), with CLIP's image prototype of the class and
  the mean of its descriptions where known, predicted by kernel ridge regression otherwise; PCA.
- sentence: all-MiniLM-L6-v2 (mean removed), PCA. It knows any words; CLIP's rows know only names.
- colour: `usearch.text.colours`, the same axes for words and for pixels.

Words are pulled towards what they cover: a hypernym to the mean of its hyponyms, a synonym to its
name (retrofitting in the manner of Faruqui et al., 2015, done once and in closed form).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trainer.text.phrases import clauses, content, singular, without_colours
from trainer.text.sentences import SentenceTeacher
from trainer.text.wordnet import WordNet
from usearch.records import FloatArray
from usearch.text.colours import COLOUR_DIM, text_colours, text_weight, with_colours

CLIP_DIM, SENTENCE_DIM = 245, 192
NAME_DIM = CLIP_DIM + SENTENCE_DIM
DIM = NAME_DIM + COLOUR_DIM
SENTENCE_WEIGHT = 0.6
"""Length of the sentence part beside a clip part of length 1."""


def unit(x: FloatArray) -> FloatArray:
    """Rows of unit length; zero rows stay zero."""
    y: FloatArray = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
    return y


def kernel_ridge(
    x: FloatArray, y: FloatArray, gamma: float = 3.0, ridge: float = 0.3
) -> Callable[[FloatArray], FloatArray]:
    """Kernel ridge regression on unit rows with the kernel exp(gamma * (cosine - 1))."""
    gram = np.exp(gamma * (x @ x.T - 1)) + ridge * np.eye(len(x), dtype=np.float32)
    dual = np.linalg.solve(gram, y)

    def predict(q: FloatArray) -> FloatArray:
        out: FloatArray = (np.exp(gamma * (q @ x.T - 1)) @ dual).astype(np.float32)
        return out

    return predict


def clip_rows(folder: Path) -> dict[str, FloatArray]:
    """Name -> unit vector [512] from CLIP's text rows, class descriptions and image prototypes.

    Rows that were mapped from GPL-3.0 sources (LVVIS) are left out.
    """
    with np.load(folder / "clip-text.npz") as z:
        usable = np.array([s != "lvvis~" for s in z["source"].tolist()])
        names = [n for n, u in zip(z["names"].tolist(), usable, strict=True) if u]
        text = z["vectors"][usable].astype(np.float32)
        mean = z["vectors"][z["exact"]].astype(np.float32).mean(0)
    text = unit(text - mean)
    rows = dict(zip(names, text, strict=True))
    with np.load(folder / "clip-lvis-variants.npz") as z:
        lvis = z["names"].tolist()
        sides = [z[k].astype(np.float32) for k in ("text_descriptions", "image_prototype")]
    sides = [unit(side - side.mean(0)) for side in sides]
    known = [(i, n) for i, n in enumerate(lvis) if n in rows]
    base = np.stack([rows[n] for _, n in known])
    lvis_at = {n: i for i, n in known}
    out = text.copy()
    for side, weight in zip(sides, (0.3, 1.0), strict=True):
        guess = 0.7 * unit(kernel_ridge(base, side[[i for i, _ in known]])(text))
        for row, name in enumerate(names):
            if name in lvis_at:
                guess[row] = side[lvis_at[name]]
        out += weight * guess
    return dict(zip(names, unit(out), strict=True))


class TextSpace:
    """Teacher vectors for any text. Build it with `build_space`."""

    def __init__(
        self,
        sentences: SentenceTeacher,
        rows: dict[str, FloatArray],
        words: dict[str, dict[str, list[str]]],
        wordnet: WordNet,
    ) -> None:
        self.sentences = sentences
        self.words = words
        self.wordnet = wordnet
        vocabulary = sorted(
            set(rows) | set(words)
            | {w for v in words.values() for w in (*v["synonyms"], *v["broader"])}
        )  # fmt: skip
        raw = sentences(vocabulary)
        self._mean = raw.mean(0)
        centred = unit(raw - self._mean)
        self._sentence_axes = np.linalg.svd(centred, full_matrices=False)[2][:SENTENCE_DIM].T
        clip = np.stack(list(rows.values()))
        self._clip_axes = np.linalg.svd(clip, full_matrices=False)[2][:CLIP_DIM].T
        self._clip = dict(zip(rows, unit(clip @ self._clip_axes), strict=True))
        self._guess = kernel_ridge(
            unit(sentences(list(rows)) - self._mean), np.stack(list(self._clip.values()))
        )
        self.lexicon: dict[str, FloatArray] = {}
        self._fill(vocabulary)

    def sentence_part(self, texts: list[str]) -> FloatArray:
        """[n, 192], unit length."""
        return unit(unit(self.sentences(texts) - self._mean) @ self._sentence_axes)

    def clip_guess(self, texts: list[str]) -> FloatArray:
        """[n, 245], predicted from the sentence vector; shorter where little is known."""
        return self._guess(unit(self.sentences(texts) - self._mean))

    def join(self, clip: FloatArray, sentence: FloatArray) -> FloatArray:
        """[n, 437] unit name parts; a clip part of length under 1 leaves more to the words."""
        length = np.linalg.norm(clip, axis=1, keepdims=True)
        clip = clip / np.maximum(length, 1e-9) * np.clip(1.6 * length, 0.3, 1.0)
        return unit(np.hstack([clip, SENTENCE_WEIGHT * sentence]).astype(np.float32))

    def _own(self, texts: list[str]) -> FloatArray:
        clip = self.clip_guess(texts)
        for i, text in enumerate(texts):
            known = self._clip.get(text)
            if known is not None:
                clip[i] = known
        return self.join(clip, self.sentence_part(texts))

    def _fill(self, vocabulary: list[str]) -> None:
        own = dict(zip(vocabulary, self._own(vocabulary), strict=True))
        names = {n: own[n] for n in set(self.words) | set(self._clip)}
        below: dict[str, list[str]] = defaultdict(list)
        for name, entry in self.words.items():
            for broader in entry["broader"]:
                below[broader].append(name)
        shaped = dict(own)
        for name, entry in self.words.items():  # a name without a row leans on its synonyms
            for synonym in entry["synonyms"]:
                pull = self._pull(own[synonym], own[name])
                if synonym not in self._clip and synonym not in names:
                    shaped[synonym] = unit(own[synonym] + pull * own[name])
                elif name not in self._clip and synonym in self._clip:
                    shaped[name] = unit(own[name] + 0.5 * pull * own[synonym])
        for broader, hyponyms in below.items():
            if len(hyponyms) < 3:
                continue
            centre = unit(np.mean([own[n] for n in hyponyms], axis=0))
            weight = 0.6 if broader in self._clip else 1.0
            shaped[broader] = unit(shaped[broader] + weight * centre)
        self.lexicon = shaped

    @staticmethod
    def _pull(a: FloatArray, b: FloatArray) -> float:
        """How far a synonym may be trusted: words of several meanings are far apart."""
        return float(np.clip((float(a @ b) - 0.2) / 0.35, 0.0, 1.0)) * 1.5

    def _by_wordnet(self, text: str, own: FloatArray) -> FloatArray | None:
        """The pull of the nearest known word beside or above an unknown word, or None.

        A word with a single meaning ("moggy") is trusted; one with several only as far as the
        sentence encoder agrees.
        """
        key = self.wordnet.concrete_sense(text)
        if key is None:
            return None
        beside = [m for m in self.wordnet.synsets[key].lemmas if m != text]
        for steps, word in enumerate((*beside, *self.wordnet.path(key, limit=3))):
            near = self.lexicon.get(word)
            if near is not None:
                sure = len(self.wordnet.nouns[text]) == 1 and steps < len(beside) + 2
                pull: FloatArray = near * max(1.0 if sure else 0.0, 0.5 * self._pull(own, near))
                return pull
        return None

    def name_parts(self, texts: list[str]) -> FloatArray:
        """[n, 437] unit name parts of phrases without template (see `phrases.content`)."""
        own = self._own(texts)
        for i, text in enumerate(texts):
            known = self.lexicon.get(text)
            if known is None and (one := singular(text)) in self.lexicon:
                known = unit(0.15 * own[i] + self.lexicon[one])
            if known is None and (pull := self._by_wordnet(singular(text), own[i])) is not None:
                known = unit(own[i] + pull)
            if known is None:
                found = self._mentions(text)
                known = own[i] if found is None else unit(own[i] + 0.9 * found)
            own[i] = known
        return own

    def _mentions(self, text: str) -> FloatArray | None:
        """Known names in a longer phrase: the head of the first clause counts most."""
        total, weight = np.zeros(NAME_DIM, np.float32), 1.0
        for words in clauses(text):
            end, part = len(words), 1.0
            while end > 0 and part > 0.1:
                for start in range(max(0, end - 4), end):
                    phrase = " ".join(words[start:end])
                    known = self.lexicon.get(phrase)
                    known = self.lexicon.get(singular(phrase)) if known is None else known
                    if known is not None:
                        total += weight * part * known
                        part *= 0.25
                        end = start
                        break
                else:
                    end -= 1
            weight = min(weight, 0.45)
        return unit(total) if np.any(total) else None

    def targets(self, texts: list[str]) -> FloatArray:
        """The vectors that the student learns.

        Returns:
            float32 [n, 448], unit length.
        """
        step = 4096  # the kernel matrix of a block stays small
        blocks = [self._targets(texts[i : i + step]) for i in range(0, len(texts), step)]
        return np.concatenate([np.zeros((0, DIM), np.float32), *blocks])

    def _targets(self, texts: list[str]) -> FloatArray:
        cores = [content(t) for t in texts]
        colours = np.stack([text_colours(c) for c in cores])
        plain = [without_colours(c) for c in cores]
        heads = self.name_parts([p or c for p, c in zip(plain, cores, strict=True)])
        whole = self.sentence_part(cores)
        for i, core in enumerate(cores):
            if core in self.lexicon:
                heads[i] = self.lexicon[core]
            elif colours[i].any():  # keep some of the phrase itself in the words' part
                words = unit(0.7 * unit(heads[i, CLIP_DIM:]) + 0.3 * whole[i])
                length = np.linalg.norm(heads[i, CLIP_DIM:])
                heads[i] = unit(np.concatenate([heads[i, :CLIP_DIM], length * words]))
        weights = np.array([text_weight(core) for core in cores], np.float32)
        return with_colours(heads, colours, weights)


def build_space(clip_text: Path, words: Path, wordnet: WordNet, cache: Path) -> TextSpace:
    """Reads the sources and fits the space.

    Args:
        clip_text: Folder with `clip-text.npz` and `clip-lvis-variants.npz`.
        words: `words.json`, name -> synonyms and broader words.
        wordnet: For words that `words.json` does not have.
        cache: Folder of sentence vectors.
    """
    lists = json.loads(words.read_text(encoding="utf-8"))
    return TextSpace(SentenceTeacher(cache), clip_rows(clip_text), lists, wordnet)
