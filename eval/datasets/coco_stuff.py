"""COCO-Stuff with its 171 classes: 80 things and 91 kinds of stuff."""

from __future__ import annotations

from eval.datasets.benchmarks import Benchmark, Way, flat
from eval.datasets.codings import Coding, numbered
from eval.datasets.layouts import Layout

_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}
"""COCO ids that were named but never labelled."""
_RAW = Coding(
    "original",
    tuple(one - 1 for one in range(1, 183) if one not in _UNUSED),
    (255,),
    "values are COCO ids minus 1 (0 to 181, 11 of them unused), 255 is not labelled",
)
_TRAIN_IDS = numbered("train-id", 171, 0, (255,))
_TEN_K = numbered("COCO-Stuff 10k", 171, 1, (0,))


def _ways(split: str) -> list[Way]:
    year, ten = f"{split}2017", {"val": "test2014", "train": "train2014"}[split]
    photos = (f"images/{year}",)
    either = (year, f"images/{year}")
    ids = "_labelTrainIds.png"
    return [
        (Layout("detectron2", either, f"stuffthingmaps_detectron2/{year}"), _TRAIN_IDS),
        (Layout("cat-seg", photos, f"annotations_detectron2/{year}"), _TRAIN_IDS),
        (Layout("mmseg", photos, f"annotations/{year}", ids), _TRAIN_IDS),
        (Layout("original", either, f"stuffthingmaps/{year}"), _RAW),
        (Layout("pixelmaps", photos, f"annotations/{year}"), _RAW),
        (Layout("mmseg-10k", (f"images/{ten}",), f"annotations/{ten}", ids), _TEN_K),
        *flat(_RAW),
    ]


COCO_STUFF = Benchmark(
    "cocostuff",
    "COCO-Stuff (171 classes)",
    "val2017.zip of https://cocodataset.org and stuffthingmaps_trainval2017.zip of "
    "https://github.com/nightrome/cocostuff",
    {"val": (5000, 1000), "train": (118287, 9000)},
    _ways,
    (_RAW, _TRAIN_IDS),
)
