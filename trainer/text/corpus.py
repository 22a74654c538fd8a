"""Texts that the student learns from: words, names, attribute phrases, scenes, definitions."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np

from trainer.text.phrases import plural
from trainer.text.wordnet import CONCRETE, WordNet
from usearch.text.colours import TERMS
from usearch.text.templates import TEMPLATES

_SHADES = (
    "gray", "silver", "golden", "beige", "turquoise", "navy blue", "dark blue", "light blue",
    "dark green", "light green", "bright red", "dark red", "violet", "teal", "maroon", "blonde",
    "black and white", "red and white", "blue and yellow", "dark brown", "reddish", "crimson",
)  # fmt: skip
ATTRIBUTES = (
    "wooden", "metal", "plastic", "glass", "leather", "stone", "brick", "paper", "cloth", "steel",
    "small", "large", "big", "tiny", "huge", "tall", "short", "long", "round", "square", "old",
    "new", "young", "antique", "modern", "broken", "dirty", "clean", "empty", "full", "open",
    "closed", "wet", "dry", "striped", "spotted", "checkered", "shiny", "fluffy", "furry", "wild",
    "happy", "parked", "flying", "sleeping", "sitting", "standing", "running", "fresh", "sliced",
    "cooked", "ripe", "colorful", "dark", "bright", "rusty", "folded", "stacked", "toy", "cute",
)  # fmt: skip
_LINKS = (
    "on", "in", "next to", "under", "behind", "in front of", "near", "with", "and", "holding",
    "on top of", "beside", "looking at", "over", "wearing", "riding", "sitting on", "standing by",
)  # fmt: skip
_PLACES = (
    "on the street", "in the grass", "on a table", "in the sky", "in the water", "at the beach",
    "in a kitchen", "in the background", "on the left", "in the snow", "on a plate", "in a field",
    "on the wall", "in the park", "on the floor", "in a bowl", "by the window", "on the road",
)  # fmt: skip


def everyday_names(clip_text: Path, photo_names: list[str]) -> list[str]:
    """Names of one or two words for phrases; those of several data sets come more often."""
    with np.load(clip_text / "clip-text.npz") as z:
        rows = zip(z["names"].tolist(), z["source"].tolist(), z["exact"].tolist(), strict=True)
        names = [n for n, source, exact in rows if exact for _ in range(source.count("+") + 1)]
    names += photo_names
    return [n for n in names if len(n.split()) <= 2 and re.fullmatch(r"[a-z -]{3,}", n)]


def vocabulary(wordnet: WordNet, pieces: list[str]) -> list[str]:
    """Words that people may type: nouns for things that can be seen, and any single word."""
    words = {p for p in pieces if re.fullmatch(r"[a-z]{2,}", p)}
    latin = ("genus ", "family ", "order ", "class ", "phylum ", "subfamily ", "division ")
    for synset in wordnet.synsets.values():
        for lemma in synset.lemmas:
            if synset.shelf in CONCRETE:
                ok = re.fullmatch(r"[a-z0-9' .&-]+", lemma) and len(lemma.split()) <= 4
                if ok and not lemma.startswith(latin):
                    words.add(lemma)
            elif re.fullmatch(r"[a-z]{3,}", lemma):
                words.add(lemma)
    return sorted(words)


def phrases(names: list[str], rng: random.Random, count: int) -> list[str]:
    """Attribute phrases and small scenes over names, without repeats."""
    colours = [*TERMS, *TERMS, *_SHADES]
    made: dict[str, None] = {}
    while len(made) < count:
        a, b = rng.choice(names), rng.choice(names)
        kind = rng.random()
        if kind < 0.30:
            text = f"{rng.choice(colours)} {a if rng.random() < 0.8 else plural(a)}"
        elif kind < 0.55:
            text = f"{rng.choice(ATTRIBUTES)} {a if rng.random() < 0.8 else plural(a)}"
        elif kind < 0.62:
            text = f"{rng.choice(ATTRIBUTES)} {rng.choice(colours)} {a}"
        elif kind < 0.75:
            text = f"{a} {rng.choice(_PLACES)}"
        elif kind < 0.92:
            text = f"{a} {rng.choice(_LINKS)} a {b}"
        else:
            text = f"{rng.choice(colours)} {a} {rng.choice(_LINKS)} a {rng.choice(ATTRIBUTES)} {b}"
        made[text] = None
    return list(made)


def definitions(wordnet: WordNet, rng: random.Random, count: int) -> list[str]:
    """Short definitions of things that can be seen."""
    glosses = sorted(
        {
            re.sub(r"\([^)]*\)", "", s.gloss).split(";")[0].strip()
            for s in wordnet.synsets.values()
            if s.shelf in CONCRETE and s.shelf not in {"noun.state", "noun.attribute"}
        }
    )
    short = [g for g in glosses if 3 <= len(g.split()) <= 14]
    return rng.sample(short, min(count, len(short)))


def photo_texts(shards: list[Path]) -> tuple[list[str], list[str]]:
    """Names and captions of the training photos (the pixels are not read)."""
    import pyarrow.parquet as pq

    names: set[str] = set()
    captions: set[str] = set()
    for path in shards:
        table = pq.read_table(path, columns=["names", "captions", "regions"]).to_pylist()
        for row in table:
            names.update(row["names"] or [])
            names.update(region["name"] for region in row["regions"] or [])
            captions.update(c for c in row["captions"] or [] if len(c.split()) <= 40)
    return sorted(n for n in names if n), sorted(captions)


def listed_names(clip_text: Path, words: Path) -> list[str]:
    """All names of the CLIP rows and of the word lists, synonyms and broader words included."""
    with np.load(clip_text / "clip-text.npz") as z:
        names = {n for n, s in zip(z["names"].tolist(), z["source"], strict=True) if s != "lvvis~"}
    for name, entry in json.loads(words.read_text(encoding="utf-8")).items():
        names.update((name, *entry["synonyms"], *entry["broader"]))
    return sorted(names)


def wrap(text: str, rng: random.Random) -> str:
    """The same meaning as people and benchmarks type it: an article, a template, a plural."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(("a {}", "the {}", "some {}", "my {}", "one {}")).replace("{}", text)
    if kind < 0.45:
        return plural(text)
    return rng.choice(_WRAPPERS).replace("{}", text)


# Templates that change what is shown ("a plushie {}") are left to the words themselves.
_OTHER_THING = re.compile(r"sculpture|origami|toy|plushie|embroidered|plastic|video game|cartoon")
_WRAPPERS = (
    "a photo of a {}", "a photo of a {}", "a photo of the {}", "a photo of {}",
    "a picture of a {}", "an image of a {}", "picture of {}", "photo of {}", "show me a {}",
    "there is a {} in the photo",
    *[t for t in TEMPLATES["maskclip85"] if not _OTHER_THING.search(t)],
    *TEMPLATES["vild14"], *TEMPLATES["use4"],
)  # fmt: skip


def misspell(text: str, rng: random.Random) -> str:
    """One slip of the keyboard in a word of at least five letters."""
    long = list(re.finditer(r"[a-z]{5,}", text))
    if not long:
        return text
    word = rng.choice(long)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    kind = rng.random()
    if kind < 0.3:
        return text[:at] + text[at + 1 :]
    if kind < 0.6:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind < 0.8:
        return text[:at] + text[at] + text[at:]
    return text[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at + 1 :]
