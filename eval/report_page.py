"""A report as one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eval.datasets.records import LabelMap
from eval.report import EvalReport
from usearch.classify import ClassMap
from usearch.records import Image


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo of the page.

    Attributes:
        image: uint8 [H, W, 3] RGB, as shown.
        truth: uint16 [H, W], class rows, `NO_LABEL` where nothing is labelled.
        predicted: [H, W], class rows; other values are no class.
    """

    image: Image
    truth: LabelMap
    predicted: ClassMap


def report_page(
    report: EvalReport, read: Callable[[str], Shown] | None = None, n_photos: int = 12
) -> str:
    """The page of a report.

    Args:
        report: A report.
        read: Gives a photo by its name in the report's sample `maps`; None = no pictures.
        n_photos: Worst photos shown, and as many of the best.
    """
    raise NotImplementedError
