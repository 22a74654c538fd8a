"""Class names of data sets as people would type them."""

from __future__ import annotations

_WORDS = {
    "playingfield": "playing field",
    "solid-other": "solid object",
    "structural-other": "structure",
    "waterdrops": "water drops",
    "window-blind": "window blind",
    "wall-panel": "wall panel",
}
"""COCO-Stuff names that the general rule of `plain_name` would make into no English."""

_KINDS_OF = frozenset(
    {
        "building", "ceiling", "desk", "door", "floor", "food", "furniture", "ground", "mirror",
        "plant", "sky", "textile", "wall", "water", "window",
    }
)  # fmt: skip
"""What COCO-Stuff divides into kinds; other hyphens ("bow-tie") belong to the word."""


def plain_name(name: str) -> str:
    """A class name as a person would type it: "sky-other" is sky, "floor-wood" is wood floor.

    COCO's panoptic classes that are unions end with "-merged": "wall-other-merged" is wall.
    """
    name = name.removesuffix("-merged")
    if name in _WORDS:
        return _WORDS[name]
    head, hyphen, kind = name.partition("-")
    if hyphen and head in _KINDS_OF:
        return head if kind in ("other", "stuff") else f"{kind} {head}"
    return name.replace("_", " ")
