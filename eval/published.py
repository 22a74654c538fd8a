"""Figures of the paper (USE, CVPR 2024) that a run stands beside.

Semantic figures are mIoU of Table 2 over whole validation sets, one-model figures of Table 4;
those of parts are mask AP of Table 3. For VOC and COCO-Stuff the paper has none.
"""

from __future__ import annotations

from dataclasses import replace

from eval.report import Published

_TWO = (
    "two models combined, the second one trained on labelled masks of COCO; the paper does not "
    "say which classes its mean is over"
)
_OLD = f"{_TWO}; of the 459 classes 345 occur, so the two conventions differ by up to a third"
_ONE = "one model, training crops of 336 px"
_TABLE_2, _TABLE_3, _TABLE_4 = ("USE (CVPR 2024), Table 2", "USE (CVPR 2024), Table 3",
                                "USE (CVPR 2024), Table 4")  # fmt: skip


def _miou(value: float, system: str, source: str = _TABLE_2, note: str = "") -> Published:
    return Published("miou_present", value, system, source, note=note)


def _ap(value: float, system: str) -> Published:
    return Published("parts.ap", value, system, _TABLE_3)


_PAPER: dict[str, tuple[Published, ...]] = {
    "ade150": (
        _miou(0.370, "USE + SAM, COCO", note=_TWO),
        _miou(0.371, "USE + SAM, COCO and VG", note=_TWO),
        _miou(0.326, "USE + SAM, COCO", _TABLE_4, _ONE),
        _miou(0.275, "OVSeg + SAM"),
    ),
    "ade847": (
        _miou(0.133, "USE + SAM, COCO", note=_TWO),
        _miou(0.134, "USE + SAM, COCO and VG", note=_TWO),
        _miou(0.113, "USE + SAM, COCO", _TABLE_4, _ONE),
        _miou(0.088, "OVSeg + SAM"),
    ),
    "pc59": (
        _miou(0.578, "USE + SAM, COCO", note=_TWO),
        _miou(0.580, "USE + SAM, COCO and VG", note=_TWO),
        _miou(0.512, "OVSeg + SAM"),
    ),
    "pc459": (
        _miou(0.147, "USE + SAM, COCO", note=_OLD),
        _miou(0.150, "USE + SAM, COCO and VG", note=_OLD),
        _miou(0.123, "OVSeg + SAM", note=_OLD),
    ),
    "partimagenet": (
        _ap(0.062, "USE, COCO"),
        _ap(0.045, "VLPart, Pascal Part"),
        _ap(0.054, "VLPart, + ImageNet"),
        _ap(0.078, "VLPart, + ImageNet with parts"),
    ),
}


def published_figures(name: str, complete: bool) -> tuple[Published, ...]:
    """What the paper has for a benchmark; none where it has nothing.

    Args:
        name: Of the benchmark, one of `eval.datasets.DATASETS`.
        complete: Whether the whole published set is measured; a part of it cannot be compared.
    """
    rows = _PAPER.get(name, ())
    if complete:
        return rows
    part = "measured on a part of the set"
    return tuple(
        replace(row, comparable=False, note=f"{part}; {row.note}" if row.note else part)
        for row in rows
    )
