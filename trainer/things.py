"""Things in a photo: detections, outlines for them and for human boxes, and names that win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as PilImage

from trainer import scenes
from trainer.imagenet import Guess
from trainer.pairs import Box, Kind, PairSegment
from trainer.regions import Hierarchy, components, overlap, plain_ground_outline
from trainer.teachers import Detections
from usearch import masks
from usearch.masks import Mask
from usearch.records import FloatArray, Image

DETECTOR_MIN = 0.45
"""Least score of a detection; 0.1 less where a person named the photo so."""
AGREEMENT = 0.15
"""Added to the weight for each further teacher that agrees."""
VOC_PIXEL = 0.5
VOC_ALONE = 0.8
"""Least mean probability of a voc-seg region that no box confirms."""
VOC_ALONE_WEIGHT = 0.5
VOC_BY_NAME_WEIGHT = 0.9
PLAIN_WEIGHT = 0.9
RENAMED_WEIGHT = 0.7
LARGE_SHARE = 0.2
PERSON_BESIDE = 0.75
MIN_ALONE_SHARE = 0.01
COVERED_MOST = 0.4

VOC_ANIMALS = frozenset({"bird", "cat", "cow", "dog", "horse", "sheep"})
DETECTED_ANIMALS = VOC_ANIMALS | {"bear", "elephant", "giraffe", "zebra"}
_VEHICLES = frozenset({"bus", "car", "train"})
_COVERED = frozenset({"dining table", "table", "bed", "coffee table", "countertop", "sink"})
"""Names of things that others stand on: a node that fills the box is not the thing alone."""


@dataclass(slots=True)
class Found:
    """A segment in the making: mask, plain name, trust, and who says so."""

    mask: Mask
    name: str
    weight: float
    kind: Kind
    origin: str
    guess: Guess | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the teachers say of a photo, at the photo's size where it is a mask."""

    image: Image
    detections: Detections
    voc: FloatArray
    voc_names: list[str]
    tree: Hierarchy


def detected_things(
    evidence: Evidence, human: Sequence[PairSegment], known: Sequence[Mask]
) -> list[Found]:
    """Detections, with an outline where voc-seg or a node of the hierarchy has one."""
    out: list[Found] = []
    detections = evidence.detections
    said = {t for s in human for t in s.texts[:4]}
    for box, score, name in zip(detections.boxes, detections.scores, detections.names, strict=True):
        named = name in said
        if score < (DETECTOR_MIN - 0.1 if named else DETECTOR_MIN):
            continue
        if any(box_iou(box, s.box) >= 0.5 for s in human if s.kind in ("object", "box", "stuff")):
            continue
        mask, outline = outline_of(box, name, evidence)
        if any(overlap(mask, k) >= 0.6 for k in known):
            continue
        if any(f.name == name and overlap(mask, f.mask) >= 0.5 for f in out):
            continue
        if name in _COVERED and mask.mean() > COVERED_MOST and not named:
            continue
        weight = float(score) + (AGREEMENT if outline == "voc-seg" else 0) + (0.2 if named else 0)
        if outline == "":
            weight *= 0.6
        origin = "+".join(p for p in ("human" if named else "", "coco-det", outline) if p)
        kind: Kind = "object" if outline else "box"
        out.append(Found(mask, name, min(1.0, weight), kind, origin))
    return out


def outlined_alone(
    evidence: Evidence, taken: Sequence[Mask], human: Sequence[PairSegment]
) -> list[Found]:
    """What voc-seg outlines and no box covers; an animal takes the photo's human name."""
    said = [t for s in human if s.kind == "image" for t in s.texts]
    animal = next((t for t in said if t in scenes.ANIMALS), None)
    pixels = evidence.voc.shape[0] * evidence.voc.shape[1]
    out = []
    animals = [i for i, n in enumerate(evidence.voc_names) if n in VOC_ANIMALS]
    groups: list[tuple[str, list[int]]] = [
        (n, [i]) for i, n in enumerate(evidence.voc_names) if i and n not in VOC_ANIMALS
    ]
    groups.append((animal or "animal", animals))
    for name, channels in groups:
        share = evidence.voc[..., channels].sum(-1)
        by_name = name == animal or name in said
        for mask in components(share > VOC_PIXEL, MIN_ALONE_SHARE * pixels):
            if not by_name and share[mask].mean() < VOC_ALONE:
                continue
            if any(overlap(mask, t) >= 0.4 for t in taken):
                continue
            best = name
            if name == "animal":
                sums = evidence.voc[mask][:, animals].mean(0)
                best = evidence.voc_names[animals[int(sums.argmax())]]
            weight = VOC_BY_NAME_WEIGHT if by_name else VOC_ALONE_WEIGHT
            origin = "human+voc-seg" if by_name else "voc-seg"
            out.append(Found(mask, best, weight, "object", origin))
    return out


def named_by_photo(
    found: Sequence[Found], human: Sequence[PairSegment], image: Image
) -> list[Found]:
    """Where a photo shows one named thing, that name wins over the detector's.

    A large segment, or one that is an animal as the named thing is, takes the human name;
    of the others only people stay.
    """
    named = next((s for s in human if s.kind == "image"), None)
    if named is None:
        return list(found)
    name, said = named.texts[0], named.texts
    out = []
    for item in found:
        animal = name in scenes.ANIMALS and item.name in DETECTED_ANIMALS
        large = item.mask.sum() >= LARGE_SHARE * image.shape[0] * image.shape[1]
        if item.name == name:
            out.append(item)
        elif item.name in said or animal or (large and item.name != "person"):
            weight = VOC_BY_NAME_WEIGHT if animal or item.name in said else RENAMED_WEIGHT
            if not item.origin.startswith("human"):
                item.origin = f"human+{item.origin}"
            item.name, item.weight = name, weight * (1.0 if item.kind == "object" else 0.6)
            out.append(item)
        elif item.name == "person" and item.weight >= PERSON_BESIDE:
            out.append(item)
    return out


def on_plain_ground(human: Sequence[PairSegment], image: Image) -> list[Found]:
    """The thing that a photo is named after, where it stands on a plain background."""
    named = next((s for s in human if s.kind == "image"), None)
    mask = None if named is None else plain_ground_outline(image)
    if named is None or mask is None:
        return []
    return [Found(mask, named.texts[0], PLAIN_WEIGHT, "object", "human+plain-ground")]


def outlined(segment: PairSegment, evidence: Evidence) -> PairSegment:
    """A human box with an outline where the teachers have one that fits it."""
    if segment.kind != "box":
        return segment
    mask, outline = outline_of(np.asarray(segment.box, np.float32), segment.texts[0], evidence)
    if not outline:
        return segment
    return replace(
        segment,
        kind="object",
        rle=masks.encode(mask),
        box=box_of(mask),
        origin=f"{segment.origin}+{outline}",
        weight=segment.weight * (1.1 if outline == "voc-seg" else 1.0),
    )


def outline_of(box: FloatArray, name: str, evidence: Evidence) -> tuple[Mask, str]:
    """Mask of a box and where its outline is from ("" for the filled box)."""
    height, width = evidence.image.shape[:2]
    x0, y0, x1, y1 = (int(v) for v in (box[0], box[1], np.ceil(box[2]), np.ceil(box[3])))
    x0, y0 = min(x0, width - 2), min(y0, height - 2)
    x1, y1 = min(max(x1, x0 + 2), width), min(max(y1, y0 + 2), height)
    filled = np.zeros((height, width), bool)
    filled[y0:y1, x0:x1] = True
    like = _like(name)
    channels = [i for i, n in enumerate(evidence.voc_names) if n in like]
    if channels:
        share = evidence.voc[..., channels].sum(-1)
        inside = (share > VOC_PIXEL) & filled
        parts = components(inside, 0.1 * filled.sum())
        if parts:
            mask: Mask = np.logical_or.reduce(parts)
            if box_iou(box_of(mask), (x0, y0, x1, y1)) >= 0.6 and mask.sum() >= 0.2 * filled.sum():
                return mask, "voc-seg"
    node = None if name in _COVERED else evidence.tree.best_in_box((x0, y0, x1, y1), 0.72, 0.4)
    if node is not None:
        return evidence.tree.mask(node), "tree"
    return filled, ""


def _like(name: str) -> frozenset[str]:
    """VOC names whose outline serves for a name: voc-seg calls an elephant a cow."""
    if name in DETECTED_ANIMALS or name in scenes.ANIMALS:
        return VOC_ANIMALS
    if name in ("truck", "van"):
        return _VEHICLES
    if name in ("man", "woman", "boy", "girl"):
        return frozenset({"person"})
    return frozenset({name})


def box_of(mask: Mask) -> Box:
    """Box x0 y0 x1 y1, half-open, of a mask that is not empty."""
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)


def box_iou(a: Sequence[float] | FloatArray, b: Sequence[float]) -> float:
    """Intersection over union of two boxes x0 y0 x1 y1."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(w * h / (both - w * h))


def resized_probabilities(values: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Probabilities [h, w, C] at another size, bilinear; channels that stay low are zero."""
    out = np.zeros((size[0], size[1], values.shape[-1]), np.float32)
    for c in np.flatnonzero(values.reshape(-1, values.shape[-1]).max(0) > 0.2):
        layer = PilImage.fromarray(np.ascontiguousarray(values[..., c]))
        resized = layer.resize((size[1], size[0]), PilImage.Resampling.BILINEAR)
        out[:, :, int(c)] = np.asarray(resized, np.float32)
    return out
