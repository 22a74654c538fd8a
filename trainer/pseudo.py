"""Rules that turn the teachers' answers into segments with texts, one photo at a time.

Human labels come first: a teacher's segment that says something about a human one is dropped,
or lends it an outline. Thresholds follow the precision measured for each teacher (see
docs/training-data.md); weights are that precision, raised where several teachers agree.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as PilImage

from trainer import scenes
from trainer.colours import colour_of, colour_texts
from trainer.imagenet import Guess, guess
from trainer.pairs import Box, Kind, PairImage, PairSegment
from trainer.regions import (
    Hierarchy,
    components,
    hierarchy_of,
    mean_by_region,
    overlap,
    plain_ground_outline,
)
from trainer.teachers import Detections, Teachers
from trainer.words import Word, texts_for
from usearch import masks
from usearch.masks import Mask
from usearch.records import FloatArray, Image

DETECTOR_MIN = 0.45
AGREEMENT = 0.15
VOC_PIXEL = 0.5
VOC_ALONE = 0.8
VOC_ALONE_WEIGHT = 0.5
VOC_BY_NAME_WEIGHT = 0.9
PLAIN_WEIGHT = 0.9
RENAMED_WEIGHT = 0.7
RENAME_MIN = 0.5
LARGE_SHARE = 0.2
PERSON_BESIDE = 0.75
MIN_REGION_SHARE = 0.003
MIN_ALONE_SHARE = 0.01
SUPERPIXELS = 150
CROP_CONTEXT = 0.2
CROPS = 3
SOFT_ONLY_WEIGHT = 0.4
UNLABELLED = 10
COLOUR_WEIGHT = 0.7
SOMETHING_WEIGHT = 0.3

_VOC_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
_ANIMALS = frozenset({"bird", "cat", "cow", "dog", "horse", "sheep"})
_VEHICLES = frozenset({"bus", "car", "train"})
_OTHER_ANIMALS = frozenset({"elephant", "bear", "zebra", "giraffe"})
_COVERED = frozenset({"dining table", "table", "bed", "coffee table", "countertop", "sink"})
"""Names of things that others stand on: a node that fills the box is not the thing alone."""
_NO_COLOUR = frozenset(
    {"person", "man", "woman", "boy", "girl", "skin", "mirror", "window", "zebra", "meal", "food"}
)


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


def label(photo: PairImage, teachers: Teachers, words: Mapping[str, Word]) -> PairImage:
    """The photo with its human segments enriched and the teachers' segments added."""
    image = np.asarray(PilImage.open(io.BytesIO(photo.jpeg)).convert("RGB"))
    if photo.source in scenes.COMPLETE:
        segments = [_worded(s, image, words) for s in photo.segments]
        tree = hierarchy_of(image)
        segments += _unlabelled(tree, _masks_of(photo.segments, image))
        return replace(photo, segments=tuple(segments))
    if photo.source in scenes.CLOSE_UP:
        return _close_up(photo, image, teachers, words)
    voc = teachers.dense("voc-seg", image)
    evidence = Evidence(
        image=image,
        detections=teachers.detect(image),
        voc=_resized_probabilities(voc, image.shape[:2]),
        voc_names=[_VOC_NAMES.get(n, n) for n in teachers.labels["voc-seg"]],
        tree=hierarchy_of(image),
    )
    human = [_outlined(s, evidence) for s in photo.segments]
    known = _masks_of(human, image)
    found = _on_plain_ground(human, image) if photo.source in scenes.ONE_OBJECT else []
    if not found:
        found = _objects(evidence, human, known)
    if photo.source in scenes.ONE_OBJECT:
        found = _named_by_photo(found, human, image)
    found += _voc_alone(evidence, [*known, *(f.mask for f in found)], human)
    found += _stuff(photo, evidence, teachers, found, known)
    whole = guess(teachers.classify(image), teachers.labels["imagenet"], words)
    _classify_crops(found, evidence, teachers, words)
    segments = [_worded(s, image, words) for s in human]
    segments = _with_whole_guess(segments, whole, image)
    segments += [_segment(f, image, words) for f in found]
    segments += _unlabelled(evidence.tree, [*known, *(f.mask for f in found)])
    return replace(photo, segments=tuple(segments))


def _close_up(
    photo: PairImage, image: Image, teachers: Teachers, words: Mapping[str, Word]
) -> PairImage:
    """A photo of one thing that no detector knows: its outline on a plain ground, if it has one."""
    tree = hierarchy_of(image)
    whole = guess(teachers.classify(image), teachers.labels["imagenet"], words)
    segments = _with_whole_guess([_worded(s, image, words) for s in photo.segments], whole, image)
    found = _on_plain_ground(photo.segments, image)
    segments += [_segment(f, image, words) for f in found]
    segments += _unlabelled(tree, [f.mask for f in found])
    return replace(photo, segments=tuple(segments))


def _on_plain_ground(human: Sequence[PairSegment], image: Image) -> list[Found]:
    """The thing that a photo is named after, where it stands on a plain background."""
    named = next((s for s in human if s.kind == "image"), None)
    mask = None if named is None else plain_ground_outline(image)
    if named is None or mask is None:
        return []
    return [Found(mask, named.texts[0], PLAIN_WEIGHT, "object", "human+plain-ground")]


def _objects(
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
        if any(_box_iou(box, s.box) >= 0.5 for s in human if s.kind in ("object", "box", "stuff")):
            continue
        mask, outline = _outline(box, name, evidence)
        if any(overlap(mask, k) >= 0.6 for k in known):
            continue
        if any(f.name == name and overlap(mask, f.mask) >= 0.5 for f in out):
            continue
        weight = float(score) + (AGREEMENT if outline == "voc-seg" else 0) + (0.2 if named else 0)
        if outline == "":
            weight *= 0.6
        origin = "+".join(p for p in ("human" if named else "", "coco-det", outline) if p)
        kind: Kind = "object" if outline else "box"
        out.append(Found(mask, name, min(1.0, weight), kind, origin))
    return out


def _named_by_photo(
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
        animal = name in scenes.ANIMALS and item.name in (_ANIMALS | _OTHER_ANIMALS)
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


def _outline(box: FloatArray, name: str, evidence: Evidence) -> tuple[Mask, str]:
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
            if (
                _box_iou(_box_of(mask), (x0, y0, x1, y1)) >= 0.6
                and mask.sum() >= 0.2 * filled.sum()
            ):
                return mask, "voc-seg"
    node = None if name in _COVERED else evidence.tree.best_in_box((x0, y0, x1, y1), 0.72, 0.4)
    if node is not None:
        return evidence.tree.mask(node), "tree"
    return filled, ""


def _like(name: str) -> frozenset[str]:
    """VOC names whose outline serves for a name: voc-seg calls an elephant a cow."""
    if name in _OTHER_ANIMALS or name in _ANIMALS or name in scenes.ANIMALS:
        return _ANIMALS
    if name in ("truck", "van"):
        return _VEHICLES
    if name in ("man", "woman", "boy", "girl"):
        return frozenset({"person"})
    return frozenset({name})


def _outlined(segment: PairSegment, evidence: Evidence) -> PairSegment:
    """A human box with an outline where the teachers have one that fits it."""
    if segment.kind != "box":
        return segment
    mask, outline = _outline(np.asarray(segment.box, np.float32), segment.texts[0], evidence)
    if not outline:
        return segment
    return replace(
        segment,
        kind="object",
        rle=masks.encode(mask),
        box=_box_of(mask),
        origin=f"{segment.origin}+{outline}",
        weight=segment.weight * (1.1 if outline == "voc-seg" else 1.0),
    )


def _voc_alone(
    evidence: Evidence, taken: Sequence[Mask], human: Sequence[PairSegment]
) -> list[Found]:
    """What voc-seg outlines and no box covers; an animal takes the photo's human name."""
    said = [t for s in human if s.kind == "image" for t in s.texts]
    animal = next((t for t in said if t in scenes.ANIMALS), None)
    pixels = evidence.voc.shape[0] * evidence.voc.shape[1]
    out = []
    animals = [i for i, n in enumerate(evidence.voc_names) if n in _ANIMALS]
    groups: list[tuple[str, list[int]]] = [
        (n, [i]) for i, n in enumerate(evidence.voc_names) if i and n not in _ANIMALS
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


def _stuff(
    photo: PairImage,
    evidence: Evidence,
    teachers: Teachers,
    found: Sequence[Found],
    known: Sequence[Mask],
) -> list[Found]:
    """Regions of the dense teachers that fit the type of photo, by connected component."""
    image = evidence.image
    labels = evidence.tree.superpixels(SUPERPIXELS)
    place = scenes.place_of(photo, evidence.detections)
    regions: list[scenes.Stuff] = []
    outdoor: FloatArray | None = None
    if place != "indoor":
        dense = teachers.dense("outdoor-seg", image)
        names = teachers.labels["outdoor-seg"]
        outdoor = mean_by_region(dense, labels)
        place = place or ("outdoor" if _share(dense, names.index("sky"), 0.9) >= 0.03 else "")
        only_sky = place != "outdoor"
        regions += scenes.outdoor_regions(outdoor, names, labels, only_sky)
        if place == "outdoor" and scenes.is_street(photo, evidence.detections):
            city = mean_by_region(teachers.dense("city-seg", image), labels)
            street = scenes.street_regions(city, teachers.labels["city-seg"], labels)
            regions = scenes.merged(regions, street)
    else:
        dense = teachers.dense("indoor-seg", image)
        names = teachers.labels["indoor-seg"]
        regions += scenes.indoor_regions(mean_by_region(dense, labels), names, labels)
    things = [f.mask for f in found if f.kind == "object"]
    busy: Mask = np.logical_or.reduce([np.zeros(labels.shape, bool), *things])
    regions += scenes.rest_regions(photo, image, labels, outdoor, regions, busy)
    out: list[Found] = []
    least = MIN_REGION_SHARE * labels.size
    for region in regions:
        for mask in components(region.mask & ~busy, least):
            if any(overlap(mask, k) >= 0.5 for k in known):
                continue
            covered = max((int((mask & k).sum()) for k in known), default=0)
            if covered >= 0.7 * mask.sum() or not scenes.is_in_place(region.name, mask):
                continue
            out.append(Found(mask, region.name, region.weight, "stuff", region.origin))
    return out


def _share(dense: FloatArray, channel: int, above: float) -> float:
    return float((dense[..., channel] >= above).mean())


def _classify_crops(
    found: Sequence[Found], evidence: Evidence, teachers: Teachers, words: Mapping[str, Word]
) -> None:
    """A classifier's guess for the largest objects; one that agrees raises the weight."""
    things = [f for f in found if f.kind in ("object", "box") and f.name != "person"]
    things.sort(key=lambda f: -int(f.mask.sum()))
    for item in things[:CROPS]:
        crop = _crop(evidence.image, _box_of(item.mask))
        item.guess = guess(teachers.classify(crop, whole=True), teachers.labels["imagenet"], words)
        if item.guess is None:
            continue
        agreed = {*texts_for(item.name, words)[0]} & {*item.guess.broader, item.guess.best}
        if agreed:
            item.weight = min(1.0, item.weight + AGREEMENT)
            item.origin += "+imagenet"
        elif (
            item.name in _ANIMALS | _OTHER_ANIMALS
            and item.guess.is_animal
            and item.guess.probability >= RENAME_MIN
            and not item.origin.startswith("human")
        ):
            # the detector and voc-seg know ten animals, the classifier four hundred
            item.name, item.weight = item.guess.best, min(item.weight, RENAMED_WEIGHT)
            item.origin += "+imagenet"


def _with_whole_guess(
    segments: list[PairSegment], whole: Guess | None, image: Image
) -> list[PairSegment]:
    """The classifier's guess for the whole photo, on its image segment or as one of its own."""
    if whole is None:
        return segments
    for i, segment in enumerate(segments):
        if segment.kind == "image":
            segments[i] = replace(segment, soft=whole.soft)
            return segments
    height, width = image.shape[:2]
    return [
        *segments,
        PairSegment(
            kind="image",
            origin="imagenet",
            box=(0.0, 0.0, float(width), float(height)),
            soft=whole.soft,
            weight=SOFT_ONLY_WEIGHT * whole.probability,
        ),
    ]


def _segment(item: Found, image: Image, words: Mapping[str, Word]) -> PairSegment:
    box = _box_of(item.mask)
    segment = PairSegment(
        kind=item.kind,
        origin=item.origin,
        box=box,
        rle=None if item.kind == "box" else masks.encode(item.mask),
        texts=(item.name,),
        text_weights=(1.0,),
        soft=item.guess.soft if item.guess else (),
        weight=round(item.weight, 3),
    )
    return _worded(segment, image, words)


def _worded(segment: PairSegment, image: Image, words: Mapping[str, Word]) -> PairSegment:
    """A segment with synonyms, broader words and, for a mask, its colour."""
    if segment.kind in ("unlabelled", "caption") or not segment.texts:
        return segment
    texts: dict[str, float] = {}
    for name, weight in zip(segment.texts, segment.text_weights, strict=True):
        for text, share in zip(*texts_for(name, words), strict=True):
            texts[text] = max(texts.get(text, 0.0), weight * share)
    if segment.kind == "image":
        texts = {t: w for t, w in texts.items() if w >= 0.3}
    name = segment.texts[0]
    if segment.rle is not None and name not in _NO_COLOUR and not name.startswith("human "):
        colour = colour_of(image, segment.mask(*image.shape[:2]))
        if colour is not None and colour not in name.split():
            named, something = colour_texts(name, colour)
            texts[named] = COLOUR_WEIGHT
            texts[something] = SOMETHING_WEIGHT
    return replace(segment, texts=tuple(texts), text_weights=tuple(texts.values()))


def _unlabelled(tree: Hierarchy, taken: Sequence[Mask]) -> list[PairSegment]:
    """Salient nodes that no labelled segment covers, for feature distillation."""
    out: list[PairSegment] = []
    kept = list(taken)
    for node in tree.salient(0.01, 0.6, 4 * UNLABELLED):
        mask = tree.mask(node)
        if any(overlap(mask, k) >= 0.6 for k in kept):
            continue
        kept.append(mask)
        out.append(PairSegment("unlabelled", "tree", _box_of(mask), masks.encode(mask)))
        if len(out) == UNLABELLED:
            break
    return out


def _masks_of(segments: Sequence[PairSegment], image: Image) -> list[Mask]:
    height, width = image.shape[:2]
    return [s.mask(height, width) for s in segments if s.kind in ("object", "stuff", "box")]


def _crop(image: Image, box: Sequence[float]) -> Image:
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) * CROP_CONTEXT / 2, (y1 - y0) * CROP_CONTEXT / 2
    low_x, low_y = max(0, int(x0 - dx)), max(0, int(y0 - dy))
    return np.ascontiguousarray(
        image[low_y : min(height, int(y1 + dy) + 1), low_x : min(width, int(x1 + dx) + 1)]
    )


def _box_of(mask: Mask) -> Box:
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1)


def _box_iou(a: Sequence[float] | FloatArray, b: Sequence[float]) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(w * h / (both - w * h))


def _resized_probabilities(values: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Probabilities [h, w, C] at another size, bilinear; channels that stay low are zero."""
    out = np.zeros((size[0], size[1], values.shape[-1]), np.float32)
    for c in np.flatnonzero(values.reshape(-1, values.shape[-1]).max(0) > 0.2):
        layer = PilImage.fromarray(np.ascontiguousarray(values[..., c]))
        resized = layer.resize((size[1], size[0]), PilImage.Resampling.BILINEAR)
        out[:, :, int(c)] = np.asarray(resized, np.float32)
    return out
