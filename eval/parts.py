"""Part segmentation as the USE paper measures it (section 4.4): PartImageNet's 40 parts.

Every stored segment of a photo is named among 142 names: the 40 parts, the 91 stuff classes of
COCO and the 11 super-categories whose parts they are. Segments whose best name is a part are
detections of it, with the probability as their score; the rest is left out. Mask AP is COCO's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.datasets import RegionPhoto, RegionSet
from eval.datasets.lists import list_id, name_list
from eval.datasets.part_imagenet import part_wholes
from eval.map_runs import Mix
from eval.mask_ap import MaskAP, MaskRegion, mask_ap, match_masks
from eval.proposals import iou_matrix
from eval.report import EvalReport, with_values
from usearch import masks
from usearch.classify import ClassTexts, StoredPhoto, segment_probabilities
from usearch.records import FloatArray
from usearch.scaling import scaled_rle

Places = npt.NDArray[np.int64]

N_STUFF = 91
"""Stuff classes of COCO-Stuff; they stand behind its 80 things."""

ROWS = ("quadruped head", "quadruped body", "quadruped foot", "quadruped tail")
"""Parts that the paper's table has a column for, beside the mean over all 40."""


@dataclass(frozen=True, slots=True)
class PartNames:
    """The names that segments choose among.

    Attributes:
        names: For each class its names; the parts come first.
        n_parts: How many are parts.
        list_id: Of all names in order.
    """

    names: tuple[tuple[str, ...], ...]
    n_parts: int
    list_id: str


def part_names(parts: Sequence[str]) -> PartNames:
    """Parts, stuff and super-categories, in this order.

    Args:
        parts: The 40 names of the parts, in the order of their ids.
    """
    stuff = name_list("cocostuff").names[-N_STUFF:]
    names = (*((part,) for part in parts), *stuff, *((whole,) for whole in part_wholes()))
    return PartNames(names, len(parts), list_id("partimagenet/parts+stuff+wholes", names))


def part_detections(
    photo: StoredPhoto, probabilities: FloatArray, n_parts: int, number: int, nms: float = 1.0
) -> Iterator[MaskRegion]:
    """The segments of a photo whose best name is a part, on the photo's pixels.

    Args:
        photo: What the store holds of it.
        probabilities: float32 [n, C], over all names.
        n_parts: The first so many names are parts.
        number: Of the photo.
        nms: Of two detections of one part with a larger IoU than this, the better one stays;
            1 = all stay, as the paper says nothing of it.
    """
    if not len(photo.segments):
        return
    best = probabilities.argmax(1)
    scores = probabilities[np.arange(len(best)), best]
    chosen = np.flatnonzero(best < n_parts)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    size = photo.height, photo.width
    for row in _apart(photo, chosen, best, nms):
        counts = scaled_rle(photo.segments.rles[row], photo.segments.size, size)
        area = masks.area(counts)
        if area:
            yield MaskRegion(
                photo=number,
                category=int(best[row]),
                size=size,
                rle=masks.counts_to_rle(counts),
                area=area,
                box=masks.box_of(counts, size[0]),
                score=float(scores[row]),
            )


def _apart(photo: StoredPhoto, chosen: Places, best: Places, nms: float) -> list[int]:
    """Rows, best first, without those that lie too much on a better one of the same part."""
    if nms >= 1.0:
        return [int(row) for row in chosen]
    kept: list[int] = []
    for row in chosen.tolist():
        same = [photo.segments.rles[one] for one in kept if best[one] == best[row]]
        ious = iou_matrix([photo.segments.rles[row]], same, photo.segments.size)
        if not same or ious.max() <= nms:
            kept.append(row)
    return kept


def part_truth(photos: Sequence[RegionPhoto], parts: Sequence[str]) -> list[MaskRegion]:
    """The labelled parts of photos."""
    number = {name: i for i, name in enumerate(parts)}
    return [
        MaskRegion(
            photo=i,
            category=number[region.name],
            size=photo.size,
            rle=region.rle,
            area=region.area,
            box=region.box,
            crowd=region.crowd,
        )
        for i, photo in enumerate(photos)
        for region in photo.regions
    ]


@dataclass(frozen=True, slots=True)
class PartScores:
    """Result of a run on parts.

    Attributes:
        ap: Of the parts.
        detections: How many segments were taken for a part.
        mixed: The same with the votes of a bank; None without one.
    """

    ap: MaskAP
    detections: int
    mixed: MaskAP | None


def part_scores(
    labelled: RegionSet,
    stored: Iterable[StoredPhoto],
    numbers: Mapping[int, int],
    texts: ClassTexts,
    *,
    mix: Mix | None = None,
    nms: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> PartScores:
    """Name the stored segments of a set's photos and score those that are parts.

    Args:
        labelled: The set; a photo that the store lacks has no detections.
        stored: What the store holds of its photos.
        numbers: Number of the photo in the set by its id in the store.
        texts: Of `part_names`.
        mix: Votes of a bank; None = none.
        nms: As for `part_detections`.
        progress: Is told how many photos are done.
    """
    n_parts = len(labelled.things)
    found: list[MaskRegion] = []
    mixed: list[MaskRegion] = []
    for done, photo in enumerate(stored, 1):
        own = segment_probabilities(photo.vectors, texts.vectors, texts.logit_scale)
        number = numbers[photo.photo]
        found += part_detections(photo, own, n_parts, number, nms)
        if mix is not None:
            mixed += part_detections(photo, mix(photo, own), n_parts, number, nms)
        if progress is not None:
            progress(done)
    truth = part_truth(labelled.photos, labelled.things)
    sizes = len(labelled.photos), n_parts
    return PartScores(
        ap=mask_ap(match_masks(truth, found, *sizes)),
        detections=len(found),
        mixed=None if mix is None else mask_ap(match_masks(truth, mixed, *sizes)),
    )


def with_parts(
    report: EvalReport, scores: MaskAP, parts: Sequence[str], prefix: str = "parts."
) -> EvalReport:
    """A report with `parts.ap`, `parts.ap50`, `parts.ap75` and, for each labelled part, its AP.

    The key of a part's own is such as `parts.quadruped_head.ap`.
    """
    values = {f"{prefix}ap": scores.ap, f"{prefix}ap50": scores.ap50, f"{prefix}ap75": scores.ap75}
    ends = {f"{prefix}{key}": found for key, found in scores.intervals.items()}
    for name, value, interval in zip(parts, scores.by_class, scores.class_intervals, strict=True):
        if not np.isnan(value):
            key = f"{prefix}{name.replace(' ', '_')}.ap"
            values[key], ends[key] = float(value), interval
    report = with_values(report, values)
    return replace(report, intervals={**report.intervals, **ends})


def photo_numbers(labelled: RegionSet, ids: Mapping[Path, int]) -> dict[int, int]:
    """Number of each photo of a set by its id in a store."""
    return {
        ids[photo.path]: number for number, photo in enumerate(labelled.photos) if photo.path in ids
    }
