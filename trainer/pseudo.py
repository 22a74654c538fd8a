"""Rules that turn the teachers' answers into segments with texts, one photo at a time.

Human labels come first: a teacher's segment that says something about a human one is dropped,
or lends it an outline. Thresholds follow the precision measured for each teacher (see
docs/training-data.md); weights are that precision, raised where several teachers agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trainer import scenes
from trainer.colours import colour_of, colour_texts
from trainer.imagenet import Guess, guess
from trainer.pairs import PairImage, PairSegment
from trainer.regions import Hierarchy, components, hierarchy_of, mean_by_region, overlap
from trainer.teachers import Teachers
from trainer.things import (
    AGREEMENT,
    DETECTED_ANIMALS,
    RENAMED_WEIGHT,
    Evidence,
    Found,
    box_iou,
    box_of,
    detected_things,
    named_by_photo,
    on_plain_ground,
    outlined,
    outlined_alone,
    resized_probabilities,
)
from trainer.words import Word, texts_for
from usearch import masks
from usearch.masks import Mask
from usearch.records import FloatArray, Image

RENAME_MIN = 0.5
MIN_REGION_SHARE = 0.003
SUPERPIXELS = 150
CROP_CONTEXT = 0.2
GRASS_WEIGHT = 0.6
DISAGREEMENT = 0.7
DISAGREEMENT_MIN = 0.6
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
_ALONE = frozenset({"coco-det", "coco-det+tree", "coco-det+voc-seg"})
_FOODS = frozenset({"cake", "donut", "hot dog", "pizza", "sandwich"})
BOX_MIN = 0.5
"""Least score of a detection that nothing else confirms."""
_NO_COLOUR = frozenset(
    {"person", "man", "woman", "boy", "girl", "skin", "mirror", "window", "zebra", "meal", "food"}
)


def label(photo: PairImage, teachers: Teachers, words: Mapping[str, Word]) -> PairImage:
    """The photo with its human segments enriched and the teachers' segments added."""
    image = photo.pixels()
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
        voc=resized_probabilities(voc, image.shape[:2]),
        voc_names=[_VOC_NAMES.get(n, n) for n in teachers.labels["voc-seg"]],
        tree=hierarchy_of(image),
    )
    human = [outlined(s, evidence) for s in photo.segments]
    known = _masks_of(human, image)
    found = on_plain_ground(human, image) if photo.source in scenes.ONE_OBJECT else []
    if not found:
        found = detected_things(evidence, human, known)
    if photo.source in scenes.ONE_OBJECT:
        found = named_by_photo(found, human, image)
    found += outlined_alone(evidence, [*known, *(f.mask for f in found)], human)
    found += _stuff(photo, evidence, teachers, found, known)
    whole = guess(teachers.classify(image), teachers.labels["imagenet"], words)
    _classify_crops(found, evidence, teachers, words)
    if photo.source in scenes.FOOD:
        # the detector calls most baked and fried things pizza, sandwich or cake
        found = [f for f in found if f.name not in _FOODS or f.origin not in _ALONE]
    segments = [_worded(s, image, words) for s in human]
    segments = _with_whole_guess(segments, whole, image)
    segments += [_segment(f, image, words) for f in found]
    segments += _unlabelled(evidence.tree, [*known, *(f.mask for f in found)])
    return replace(photo, segments=tuple(segments))


def label_boxes(photo: PairImage, teachers: Teachers, words: Mapping[str, Word]) -> PairImage:
    """The photo with its human segments and the detector's boxes alone: a tenth of the time.

    Close-ups and completely labelled photos keep what they have.
    """
    image = photo.pixels()
    segments = [_worded(s, image, words) for s in photo.segments]
    if photo.source in scenes.COMPLETE or photo.source in scenes.CLOSE_UP:
        return replace(photo, segments=tuple(segments))
    known = [s.box for s in photo.segments if s.kind in ("object", "box", "stuff")]
    height, width = image.shape[:2]
    found = teachers.detect(image, BOX_MIN)
    for corners, score, name in zip(found.boxes, found.scores, found.names, strict=True):
        box = (
            max(0.0, float(corners[0])),
            max(0.0, float(corners[1])),
            min(float(width), float(corners[2])),
            min(float(height), float(corners[3])),
        )
        if box[2] - box[0] < 1 or box[3] - box[1] < 1 or any(box_iou(box, k) >= 0.5 for k in known):
            continue
        if photo.source in scenes.FOOD and name in _FOODS:
            continue
        known.append(box)
        segment = PairSegment(
            kind="box",
            origin="coco-det",
            box=box,
            texts=(name,),
            text_weights=(1.0,),
            weight=round(min(1.0, float(score)), 3),
        )
        segments.append(_worded(segment, image, words))
    return replace(photo, segments=tuple(segments))


def _close_up(
    photo: PairImage, image: Image, teachers: Teachers, words: Mapping[str, Word]
) -> PairImage:
    """A photo of one thing that no detector knows: its outline on a plain ground, if it has one."""
    tree = hierarchy_of(image)
    whole = guess(teachers.classify(image), teachers.labels["imagenet"], words)
    segments = _with_whole_guess([_worded(s, image, words) for s in photo.segments], whole, image)
    found = on_plain_ground(photo.segments, image)
    segments += [_segment(f, image, words) for f in found]
    segments += _unlabelled(tree, [f.mask for f in found])
    return replace(photo, segments=tuple(segments))


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
            name, weight = region.name, region.weight
            if name == "ground" and colour_of(image, mask) == "green":
                name, weight = "grass", GRASS_WEIGHT  # outdoor-seg has no name for it
            out.append(Found(mask, name, weight, "stuff", region.origin))
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
        crop = _crop(evidence.image, box_of(item.mask))
        item.guess = guess(teachers.classify(crop, whole=True), teachers.labels["imagenet"], words)
        if item.guess is None:
            continue
        agreed = {*texts_for(item.name, words)[0]} & {*item.guess.broader, item.guess.best}
        if agreed:
            item.weight = min(1.0, item.weight + AGREEMENT)
            item.origin += "+imagenet"
        elif (
            item.name in DETECTED_ANIMALS
            and item.guess.is_animal
            and item.guess.probability >= RENAME_MIN
            and not item.origin.startswith("human")
        ):
            # the detector and voc-seg know ten animals, the classifier four hundred
            item.name, item.weight = item.guess.best, min(item.weight, RENAMED_WEIGHT)
            item.origin += "+imagenet"
        elif item.guess.probability >= DISAGREEMENT_MIN and not item.origin.startswith("human"):
            item.weight *= DISAGREEMENT


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
    box = box_of(item.mask)
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
        out.append(PairSegment("unlabelled", "tree", box_of(mask), masks.encode(mask)))
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
