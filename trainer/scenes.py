"""What kind of place a photo shows, and the regions that the dense teachers are right about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trainer.colours import lab
from trainer.pairs import PairImage
from trainer.regions import overlap
from trainer.teachers import Detections
from usearch.masks import Mask
from usearch.records import FloatArray, Image

Place = Literal["indoor", "outdoor", ""]
Labels = npt.NDArray[np.int64]

COMPLETE = frozenset({"coco-panoptic-val", "coco-panoptic-train", "coco-stuff-200", "facades"})
"""Sources whose people labelled things and stuff: the teachers add nothing."""

ONE_OBJECT = frozenset(
    {
        "animals-22", "caltech-101", "cats-dogs", "clothing", "flowers-5", "grocery",
        "instruments", "waste",
    }
)  # fmt: skip
"""Sources with one named thing a photo: a teacher's other name for it is wrong."""

FOOD = frozenset({"dishes", "table-food"})
"""Sources of prepared food, most of which the detector has no name for."""

CLOSE_UP = frozenset({"clothing", "flowers-5", "grocery", "instruments", "waste"})
"""Sources of things that no detector or dense teacher knows."""

ANIMALS = frozenset(
    {
        "animal", "antelope", "ape", "bear", "bird", "bison", "cat", "chicken", "cougar", "cow",
        "deer", "dog", "dolphin", "duck", "eagle", "elephant", "emu", "flamingo", "gerenuk",
        "hedgehog", "horse", "kangaroo", "koala", "leopard", "lion", "llama", "mammal", "okapi",
        "panda", "pig", "pigeon", "rabbit", "raccoon", "rhino", "rooster", "sheep", "turkey",
        "wild cat", "wolf",
    }
)  # fmt: skip
"""Human names of animals that voc-seg outlines under one of its own animal names."""

_INDOOR_SOURCES = frozenset({"amenities", "rooms", "home-voc", "table-food", "dishes"})
_OUTDOOR_SOURCES = frozenset(
    {"facades", "street-vehicles", "kangaroo", "raccoon", "natural-scenes", "urban-100"}
)
_STREET_SOURCES = frozenset({"facades", "street-vehicles", "street-fashion"})
_INDOOR_NAMES = frozenset(
    """kitchen|bedroom|auditorium|laundromat|library|computer room|art gallery|bakery|bed|sofa|couch
    |tv|television|refrigerator|oven|sink|toilet|microwave|bathtub|faucet|cabinet|ceiling
    |floor|nightstand|pillow|heater|window blind|coffee table|cabinet door""".replace("\n", "")
    .replace(" |", "|").replace("    ", "").split("|")
)  # fmt: skip
_OUTDOOR_NAMES = frozenset(
    """sky|tree|grass|road|sea|ocean|beach|mountain|glacier|snow|forest|street|highway|desert
    |campus|football field|football stadium|baseball field|tennis court|garden|bamboo forest
    |rainforest|waterfall|windmill|landscape|airport|building|pavement|sand|bus|horse|elephant
    |house|skyscraper|tower|street light""".replace("\n", "").replace("    ", "").split("|")
)  # fmt: skip
_INDOOR_THINGS = frozenset(
    {"bed", "couch", "tv", "refrigerator", "oven", "microwave", "sink", "toilet", "keyboard"}
)
_OUTDOOR_THINGS = frozenset(
    {
        "airplane", "bear", "boat", "bus", "car", "elephant", "fire hydrant", "giraffe", "kite",
        "motorcycle", "skis", "snowboard", "stop sign", "surfboard", "traffic light", "train",
        "truck", "zebra",
    }
)  # fmt: skip
_STREET_THINGS = frozenset({"bus", "car", "motorcycle", "stop sign", "traffic light", "truck"})
_STREET_NAMES = frozenset({"street", "highway", "road", "bus", "traffic light"})
_SURE = 0.5

# name, probability, trust: the precision measured at that probability
OUTDOOR: tuple[tuple[str, float, float], ...] = (
    ("sky", 0.9, 0.9),
    ("tree", 0.9, 0.8),
    ("ground", 0.9, 0.8),
    ("sidewalk", 0.9, 0.8),
    ("building", 0.7, 0.75),
)
INDOOR: tuple[tuple[str, float, float], ...] = (
    ("ceiling", 0.8, 0.9),
    ("floor", 0.8, 0.9),
    ("wall", 0.8, 0.85),
)
STREET: tuple[tuple[str, float, float], ...] = (
    ("road", 0.8, 0.8),
    ("sky", 0.8, 0.7),
    ("building", 0.85, 0.65),
    ("vegetation", 0.85, 0.6),
    ("sidewalk", 0.9, 0.35),
)
_AGREEMENT = 0.15
_PLACE_IN_PHOTO: dict[str, tuple[float, float]] = {
    "sky": (0.0, 0.6),
    "ceiling": (0.0, 0.5),
    "building": (0.0, 0.62),
    "tree": (0.0, 0.75),
    "road": (0.45, 1.0),
    "sidewalk": (0.45, 1.0),
    "ground": (0.45, 1.0),
    "floor": (0.5, 1.0),
}
"""Where the middle of a region may be, as shares of the photo's height from the top."""
_REST_WEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class Stuff:
    """All pixels of a name: mask, name, trust and who says so."""

    mask: Mask
    name: str
    weight: float
    origin: str


def _said(photo: PairImage) -> frozenset[str]:
    return frozenset(t for s in photo.segments if s.kind != "caption" for t in s.texts)


def place_of(photo: PairImage, detections: Detections) -> Place:
    """Indoor or outdoor, by human names, then by what was detected; "" when neither is clear."""
    said = _said(photo)
    sure = {
        n for n, s in zip(detections.names, detections.scores, strict=True) if float(s) >= _SURE
    }
    indoor = photo.source in _INDOOR_SOURCES or bool(said & _INDOOR_NAMES)
    outdoor = photo.source in _OUTDOOR_SOURCES or bool(said & _OUTDOOR_NAMES)
    if indoor != outdoor:
        return "indoor" if indoor else "outdoor"
    indoor, outdoor = bool(sure & _INDOOR_THINGS), bool(sure & _OUTDOOR_THINGS)
    if indoor != outdoor:
        return "indoor" if indoor else "outdoor"
    return ""


def is_street(photo: PairImage, detections: Detections) -> bool:
    """Whether city-seg can be trusted: away from streets it invents things."""
    sure = {
        n for n, s in zip(detections.names, detections.scores, strict=True) if float(s) >= _SURE
    }
    return (
        photo.source in _STREET_SOURCES
        or bool(_said(photo) & _STREET_NAMES)
        or len(sure & _STREET_THINGS) >= 2
        or sum(n == "car" for n in detections.names) >= 3
    )


def _regions(
    means: FloatArray,
    names: Sequence[str],
    labels: Labels,
    rules: Sequence[tuple[str, float, float]],
    origin: str,
) -> list[Stuff]:
    out = []
    for name, least, trust in rules:
        sure = means[:, names.index(name)] >= least
        if sure.any():
            out.append(Stuff(sure[labels], name, trust, origin))
    return out


def outdoor_regions(
    means: FloatArray, names: Sequence[str], labels: Labels, only_sky: bool
) -> list[Stuff]:
    """Regions of outdoor-seg; only the sky where the photo may be of another kind."""
    rules = OUTDOOR[:1] if only_sky else OUTDOOR
    return _regions(means, names, labels, rules, "outdoor-seg")


def indoor_regions(means: FloatArray, names: Sequence[str], labels: Labels) -> list[Stuff]:
    """Regions of indoor-seg."""
    return _regions(means, names, labels, INDOOR, "indoor-seg")


def street_regions(means: FloatArray, names: Sequence[str], labels: Labels) -> list[Stuff]:
    """Regions of city-seg, by the share of a superpixel's pixels."""
    return _regions(means, names, labels, STREET, "city-seg")


def is_in_place(name: str, mask: Mask) -> bool:
    """Whether a region lies where one of that name can: no sky at the bottom."""
    low, high = _PLACE_IN_PHOTO.get(name, (0.0, 1.0))
    middle = float(np.flatnonzero(mask.any(1)).mean()) / mask.shape[0]
    return bool(low <= middle <= high)


def merged(first: Sequence[Stuff], second: Sequence[Stuff]) -> list[Stuff]:
    """Regions of two teachers; one that both name becomes their intersection, more trusted."""
    same = {"vegetation": "tree"}
    out = list(first)
    for region in second:
        name = same.get(region.name, region.name)
        match = next((i for i, r in enumerate(out) if same.get(r.name, r.name) == name), None)
        if match is None:
            out.append(region)
        elif overlap(out[match].mask, region.mask) >= 0.5:
            both = out[match]
            out[match] = Stuff(
                both.mask & region.mask,
                both.name,
                min(1.0, max(both.weight, region.weight) + _AGREEMENT),
                f"{both.origin}+{region.origin}",
            )
    return out


def rest_regions(
    photo: PairImage,
    image: Image,
    labels: Labels,
    outdoor: FloatArray | None,
    named: Sequence[Stuff],
    things: Mask,
) -> list[Stuff]:
    """Regions of a photo that a person named after a landscape, by colour and place.

    A photo named "sea" is sea where it is bluish or greyish, not sky, and not high up; one of
    "snow" is snow where it is bright and pale. What no rule covers stays without a name.
    """
    said = _said(photo)
    if outdoor is None or not said & _REST_NAMES:
        return []
    count = int(labels.max()) + 1
    size: npt.NDArray[Any] = np.bincount(labels.ravel(), minlength=count)
    values = lab(image).reshape(-1, 3)
    means = np.stack([np.bincount(labels.ravel(), values[:, c], count) for c in range(3)], 1)
    means = means / size[:, None]
    rows = np.repeat(np.arange(labels.shape[0]), labels.shape[1]) / labels.shape[0]
    height = np.bincount(labels.ravel(), rows, count) / size
    taken = np.zeros(labels.shape, bool) | things
    for region in named:
        taken |= region.mask
    free = np.bincount(labels.ravel(), ~taken.ravel(), count) / size >= 0.7
    # the teacher's "none" comes first; a superpixel that leans to sky is not ground
    free &= outdoor[:, 2] < 0.3
    light = means[:, 0]
    chroma, hue = (
        np.hypot(means[:, 1], means[:, 2]),
        np.degrees(np.arctan2(means[:, 2], means[:, 1])) % 360,
    )
    green = (hue >= 95) & (hue < 150) & (chroma >= 12)
    bluish = (hue >= 150) & (hue < 300)
    sandy = (hue >= 40) & (hue < 95) & (chroma >= 8) & (light >= 35)
    pale = (light >= 68) & (chroma < 14)
    rules: list[tuple[frozenset[str], str, npt.NDArray[np.bool_]]] = [
        (frozenset({"sea", "ocean"}), "sea", (bluish | (chroma < 6)) & (height >= 0.35) & ~pale),
        (frozenset({"snow", "glacier"}), "snow", pale & (height >= 0.2)),
        (frozenset({"desert", "beach"}), "sand", sandy & (height >= 0.4)),
        (_GRASSY, "grass", green & (height >= 0.45)),
        (frozenset({"forest", "rainforest", "bamboo forest"}), "tree", green & (light < 70)),
    ]
    out = []
    for names, name, fits in rules:
        chosen = free & fits
        if said & names and chosen.any():
            out.append(Stuff(chosen[labels], name, _REST_WEIGHT, "human+colour"))
            free &= ~chosen
    if said & {"mountain"} and not said & {"sea", "ocean"}:
        blue_sky = bluish & (chroma > 16) & (height < 0.45)
        chosen = free & ~green & ~blue_sky & (height < 0.8) & (height > 0.15)
        if size[chosen].sum() >= 0.1 * labels.size:
            out.append(Stuff(chosen[labels], "mountain", _REST_WEIGHT, "human+colour"))
    return out


_GRASSY = frozenset(
    {"football field", "baseball field", "grass", "garden", "campus", "landscape", "horse", "cow"}
)
_REST_NAMES = _GRASSY | {
    "bamboo forest", "beach", "desert", "forest", "glacier", "mountain", "ocean", "rainforest",
    "sea", "snow",
}  # fmt: skip
