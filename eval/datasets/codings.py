"""How the values of label files become classes, and telling two ways apart by what occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.datasets.labels import Sample
from eval.datasets.records import Encoding
from usearch.errors import InputError


@dataclass(frozen=True, slots=True)
class Coding:
    """One way in which label files hold classes.

    Attributes:
        name: What it is called in messages.
        values: For each class its value.
        ignore: Values that mean "not labelled"; None = all that are no class.
        reading: The same for people, in one line.
        encoding: How the files hold values.
        bits: Bits that a value must have, or high classes are lost; 0 = does not matter.
        short_side: As in `MapSet`.
    """

    name: str
    values: tuple[int, ...]
    ignore: tuple[int, ...] | None
    reading: str
    encoding: Encoding = "index"
    bits: int = 0
    short_side: int = 0


def numbered(name: str, count: int, first: int, ignore: tuple[int, ...], bits: int = 0) -> Coding:
    """Classes with consecutive values in index pictures."""
    return Coding(
        name,
        tuple(range(first, first + count)),
        ignore,
        f"values {first} to {first + count - 1} are the {count} classes, {not_labelled(ignore)}",
        bits=bits,
    )


def not_labelled(values: Sequence[int]) -> str:
    """Values that are ignored, for people."""
    if not values:
        return "none is left out"
    return f"{' and '.join(map(str, values))} {'is' if len(values) == 1 else 'are'} not labelled"


def settle(told: Coding, others: Sequence[Coding], sample: Sample) -> tuple[Coding, str]:
    """The way that fits what occurs in the files, and a note when it is not the told one.

    Args:
        told: The way that the layout stands for.
        others: Other ways in which people have the same labels, in the same encoding.
        sample: Values of some of the files.

    Raises:
        InputError: No way fits; the message names a file and its value.
    """
    if told.bits > sample.bits:
        raise InputError(
            f"{next(iter(sample.first.values()))} has {sample.bits} bits a pixel: class numbers "
            f"above 255 are lost",
            f"convert the labels again, to {told.bits} bits (.tif)",
        )
    if told.ignore is None or fits(told, sample):
        return told, ""
    for other in others:
        if fits(other, sample):
            return (
                other,
                f"the folder's name stands for {told.name} labels, its files are {other.name}",
            )
    value = max(sample.pixels.keys() - set(told.values) - set(told.ignore))
    raise InputError(
        f"{sample.first[value]} holds the value {value}; {told.reading}",
        "these label files are of no form of the data set that is known here",
    )


def fits(coding: Coding, sample: Sample) -> bool:
    """Whether every value that occurs is a class or ignored."""
    return coding.ignore is None or not (
        sample.pixels.keys() - set(coding.values) - set(coding.ignore)
    )
