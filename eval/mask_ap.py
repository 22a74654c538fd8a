"""Average precision of masks, as COCO has it, with an interval over photos.

pycocotools matches detections with labelled regions (IoU 0.5 to 0.95, at most 100 detections a
photo, crowd regions ignored); what follows is its accumulation with a weight for each photo, so
that photos can be drawn again for a bootstrap without matching anew. A test holds the result
against pycocotools' own.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eval.metrics import Doubles, Interval, interval_of
from usearch.errors import ModelError

MOST = 100
"""Detections of a photo that count: the best ones."""

IOUS: Doubles = np.linspace(0.5, 0.95, 10)
RECALLS: Doubles = np.linspace(0.0, 1.0, 101)
_EVERY_AREA = [0.0, 1e10]


@dataclass(frozen=True, slots=True)
class MaskRegion:
    """A labelled region or a detection.

    Attributes:
        photo: Number of its photo, from 0.
        category: Number of its class, from 0.
        size: (height, width) of the photo.
        rle: COCO compressed counts on the photo's pixels.
        area: Pixels.
        box: x0 y0 x1 y1, half-open.
        score: Of a detection.
        crowd: Of a labelled region: what falls on it neither counts nor costs.
    """

    photo: int
    category: int
    size: tuple[int, int]
    rle: bytes
    area: int
    box: tuple[int, int, int, int]
    score: float = 0.0
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """The detections of one class, best first, and whether they hit.

    Attributes:
        photos: int64 [d], photo of each detection.
        hit: bool [10, d], whether it matches a labelled region at each of `IOUS`.
        ignored: bool [10, d], whether it matches an ignored one.
        wanted: int64 [photos], labelled regions of each photo that are to be found.
    """

    photos: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]
    ignored: npt.NDArray[np.bool_]
    wanted: npt.NDArray[np.int64]


def match_masks(
    truth: Sequence[MaskRegion],
    found: Sequence[MaskRegion],
    n_photos: int,
    n_categories: int,
    most: int = MOST,
) -> list[Matches]:
    """Match detections with labelled regions, class by class.

    Args:
        truth: Labelled regions.
        found: Detections, with scores.
        n_photos: Photos.
        n_categories: Classes.
        most: Detections of a photo and class that count.

    Raises:
        ModelError: pycocotools is not installed.
    """
    found = _best_of_each_photo(found, most)
    run = _coco_run(truth, found, n_photos, n_categories, most)
    out = []
    for category in range(n_categories):
        here = run[category * n_photos : (category + 1) * n_photos]
        seen = [(photo, one) for photo, one in enumerate(here) if one is not None]
        wanted = np.zeros(n_photos, np.int64)
        for photo, one in seen:
            wanted[photo] = int((np.asarray(one["gtIgnore"]) == 0).sum())
        counts = [len(one["dtScores"]) for _, one in seen]
        photos = np.repeat([photo for photo, _ in seen], counts).astype(np.int64)
        scores = np.concatenate([np.zeros(0), *(one["dtScores"] for _, one in seen)])
        order = np.argsort(-scores, kind="mergesort")  # as pycocotools, so that ties agree
        empty = np.zeros((len(IOUS), 0))
        hit = np.concatenate([empty, *(one["dtMatches"] for _, one in seen)], axis=1) > 0
        ignored = np.concatenate([empty, *(one["dtIgnore"] for _, one in seen)], axis=1) > 0
        out.append(Matches(photos[order], hit[:, order], ignored[:, order], wanted))
    return out


def average_precision(matches: Matches, weights: Doubles | None = None) -> Doubles:
    """AP of one class at each of `IOUS`, float64 [10]; NaN where there is nothing to find.

    Args:
        matches: Of the class.
        weights: float64 [photos], how often each photo counts; None = once.
    """
    weights = np.ones(len(matches.wanted)) if weights is None else weights
    wanted = float(matches.wanted @ weights)
    if wanted == 0:
        return np.full(len(IOUS), np.nan)
    each = weights[matches.photos]
    right = np.cumsum(each * (matches.hit & ~matches.ignored), axis=1)
    wrong = np.cumsum(each * (~matches.hit & ~matches.ignored), axis=1)
    recall = right / wanted
    precision = right / np.maximum(right + wrong, np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    out = np.zeros(len(IOUS))
    for row in range(len(IOUS)):
        at = np.searchsorted(recall[row], RECALLS, side="left")
        there = at < recall.shape[1]
        out[row] = precision[row, at[there]].sum() / len(RECALLS)
    return out


@dataclass(frozen=True, slots=True)
class MaskAP:
    """Mask AP over classes.

    Attributes:
        ap: Mean over IoU 0.5 to 0.95 and over the classes that are labelled.
        ap50: At IoU 0.5.
        ap75: At IoU 0.75.
        by_class: float64 [C], AP of each class; NaN where it is not labelled.
        intervals: 95 % bootstrap intervals over photos, of "ap", "ap50", "ap75".
        class_intervals: The same for each class; NaN bounds where it is not labelled.
    """

    ap: float
    ap50: float
    ap75: float
    by_class: Doubles
    intervals: dict[str, Interval]
    class_intervals: list[Interval]


def mask_ap(matches: Sequence[Matches], rounds: int = 200, seed: int = 0) -> MaskAP:
    """AP with intervals.

    Args:
        matches: Of each class.
        rounds: How often the photos are drawn again.
        seed: Of the draws.
    """
    table = np.stack([average_precision(one) for one in matches])
    n_photos = len(matches[0].wanted)
    rng = np.random.default_rng(seed)
    drawn = np.empty((rounds, len(matches), len(IOUS)))
    for number in range(rounds):
        weights = np.bincount(rng.integers(0, n_photos, n_photos), minlength=n_photos)
        drawn[number] = [average_precision(one, weights.astype(float)) for one in matches]
    columns = {"ap": slice(None), "ap50": slice(0, 1), "ap75": slice(5, 6)}
    values = {key: _mean(table[:, cut]) for key, cut in columns.items()}
    ends = {
        key: interval_of(np.array([_mean(one[:, cut]) for one in drawn]))
        for key, cut in columns.items()
    }
    each = drawn.mean(2)
    return MaskAP(
        ap=values["ap"],
        ap50=values["ap50"],
        ap75=values["ap75"],
        by_class=table.mean(1),
        intervals=ends,
        class_intervals=[_interval(each[:, i]) for i in range(len(matches))],
    )


def _mean(values: Doubles) -> float:
    """Mean of the labelled classes; NaN when none is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def _interval(values: Doubles) -> Interval:
    there = values[~np.isnan(values)]
    return interval_of(there) if len(there) else Interval(float("nan"), float("nan"))


def _best_of_each_photo(found: Sequence[MaskRegion], most: int) -> list[MaskRegion]:
    """At most so many detections of each photo, over all classes, as COCO files hold them."""
    by_photo: dict[int, list[MaskRegion]] = {}
    for one in found:
        by_photo.setdefault(one.photo, []).append(one)
    return [
        one
        for photo in sorted(by_photo)
        for one in sorted(by_photo[photo], key=lambda region: -region.score)[:most]
    ]


def _coco_run(
    truth: Sequence[MaskRegion],
    found: Sequence[MaskRegion],
    n_photos: int,
    n_categories: int,
    most: int,
) -> list[Any]:
    """What pycocotools finds of each class and photo; None where there is nothing of either."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ModelError(
            "mask AP needs the package pycocotools, which is not installed",
            "pip install 'use-segments[eval]'",
        ) from error
    sets = []
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        for regions in (truth, found):
            coco = COCO()
            coco.dataset = coco_document(regions, n_photos, n_categories)
            coco.createIndex()
            sets.append(coco)
        run = COCOeval(*sets, "segm")
        run.params.maxDets = [most]
        run.params.areaRng, run.params.areaRngLbl = [_EVERY_AREA], ["all"]
        run.params.imgIds = list(range(n_photos))
        run.params.catIds = list(range(n_categories))
        run.evaluate()
    results: list[Any] = run.evalImgs
    return results


def coco_document(
    regions: Sequence[MaskRegion], n_photos: int, n_categories: int
) -> dict[str, Any]:
    """Regions as the COCO json that pycocotools reads; ids of photos and classes are numbers."""
    sizes = {one.photo: one.size for one in regions}
    images = []
    for photo in range(n_photos):
        height, width = sizes.get(photo, (1, 1))
        images.append({"id": photo, "height": height, "width": width})
    return {
        "images": images,
        "categories": [{"id": i} for i in range(n_categories)],
        "annotations": [_annotation(i, one) for i, one in enumerate(regions, 1)],
    }


def _annotation(number: int, one: MaskRegion) -> dict[str, Any]:
    x0, y0, x1, y1 = one.box
    return {
        "id": number,
        "image_id": one.photo,
        "category_id": one.category,
        "segmentation": {"size": list(one.size), "counts": one.rle},
        "area": one.area,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "iscrowd": int(one.crowd),
        "score": one.score,
    }
