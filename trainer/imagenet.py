"""The classifier's answer as a soft text target: plain names with probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.words import Word, word_for
from usearch.records import FloatArray

MIN_BEST = 0.4
MIN_BROADER = 0.7
_TOP = 5
_LEAST = 0.05

_RENAMED = {
    135: "crane bird",
    518: "construction crane",
    264: "cardigan welsh corgi",
    475: "cardigan",
    639: "swimsuit",
    640: "swimsuit",
}
"""Index (background = 0) of labels whose first word means two things or is unusual."""
_PLAIN = {
    "boxer": "boxer dog",
    "kite": "kite bird",
    "drake": "duck",
    "tusker": "elephant",
    "cock": "rooster",
    "ear": "ear of corn",
    "web site": "",
    "rapeseed": "rapeseed field",
    "jersey": "t-shirt",
    "scale": "weighing scale",
    "jay": "jay bird",
    "maillot": "swimsuit",
    "tub": "bathtub",
    "cougar": "cougar",
    "sunglass": "sunglasses",
    "background": "",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """What the classifier sees in a crop.

    Attributes:
        best: The most probable plain name.
        probability: Of `best`.
        soft: (name, probability), fine names first, then broader words that they share.
        broader: Broader words with their summed probability.
    """

    best: str
    probability: float
    soft: tuple[tuple[str, float], ...]
    broader: Mapping[str, float]

    @property
    def is_animal(self) -> bool:
        """Whether most of the probability lies on animals."""
        return self.broader.get("animal", 0.0) >= MIN_BROADER


def plain_name(index: int, label: str) -> str:
    """The everyday name of a label "tench, Tinca tinca"; "" for one that names no thing."""
    first = label.split(",")[0].strip().lower()
    return _RENAMED.get(index, _PLAIN.get(first, first))


def guess(
    probabilities: FloatArray, labels: Sequence[str], words: Mapping[str, Word]
) -> Guess | None:
    """The classifier's guess, or None when neither a name nor a broader word is likely.

    Args:
        probabilities: float32 [1001], background first.
        labels: Their 1001 labels.
        words: Broader words by name.
    """
    order = (-probabilities).argsort()[:40]
    fine: dict[str, float] = {}
    broader: dict[str, float] = {}
    for i in order:
        p = float(probabilities[i])
        if p <= 0:
            break
        name = plain_name(int(i), labels[i])
        if not name:
            continue
        fine[name] = fine.get(name, 0.0) + p
        for text in word_for(name, words).broader:
            broader[text] = broader.get(text, 0.0) + p
    if not fine:
        return None
    best = max(fine, key=lambda n: fine[n])
    likely = {t: p for t, p in broader.items() if p >= MIN_BROADER and t not in fine}
    if fine[best] < MIN_BEST and not likely:
        return None
    names = sorted(fine.items(), key=lambda item: -item[1])[:_TOP]
    soft = [(n, p) for n, p in names if p >= _LEAST] or []
    if not soft and likely:
        best = max(likely, key=lambda t: likely[t])
    extra = sorted(likely.items(), key=lambda item: -item[1])[:3]
    total = sum(p for _, p in soft)
    rest = max(0.0, 1.0 - total)
    # broader words share what the fine names leave, at least a fifth, so that the sum is <= 1
    part = max(rest, 0.2) / max(1, len(extra))
    scale = min(1.0, (1.0 - part * len(extra)) / total) if total and extra else 1.0
    blended = [(n, min(1.0, p) * scale) for n, p in soft] + [(t, part * p) for t, p in extra]
    return Guess(best, min(1.0, fine.get(best, likely.get(best, 0.0))), tuple(blended), broader)
