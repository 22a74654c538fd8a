"""PASCAL VOC with 20 and 21 classes, PASCAL Context with 59 and 459."""

from __future__ import annotations

from eval.datasets.benchmarks import Benchmark, Way, flat
from eval.datasets.codings import Coding, numbered
from eval.datasets.labels import Sample
from eval.datasets.layouts import Layout, Place
from eval.datasets.lists import name_list
from eval.datasets.pascal_order import CONTEXT_59, label_order
from eval.datasets.records import NO_LABEL

_FOLDERS = {"val": "validation", "train": "training"}
_VOC = "VOCtrainval_11-May-2012.tar of http://host.robots.ox.ac.uk/pascal/VOC/voc2012"
_CONTEXT = (
    "trainval.tar.gz of https://cs.stanford.edu/~roozbeh/pascal-context with the photos of VOC2010 "
    "(http://host.robots.ox.ac.uk/pascal/VOC/voc2010)"
)
_VOC20 = Coding(
    "original",
    tuple(range(1, 21)),
    (0, 255),
    "values 1 to 20 are the classes, 0 (background) and 255 (edges) are not labelled",
)
_VOC20_GENERATED = numbered("detectron2", 20, 0, (255,))
_VOC21 = numbered("original", 21, 0, (255,))
_PC59 = numbered("detectron2", 59, 0, (255,))
_PC59_MMSEG = numbered("mmseg", 59, 1, (0,))
_PC59_MAT = Coding(
    "original",
    CONTEXT_59,
    None,
    "59 of the 459 numbers of LabelMap are classes, all others are not labelled",
    encoding="mat",
)
_PC459 = numbered("detectron2", 459, 0, (459, NO_LABEL), bits=16)
_PC459_MAT = Coding(
    "original",
    tuple(range(1, 460)),
    (0,),
    "numbers 1 to 459 of LabelMap are the 459 classes, 0 is not labelled",
    encoding="mat",
)
_JPEG = ("JPEGImages", "VOCdevkit/VOC2010/JPEGImages", "VOC2010/JPEGImages")


def _context_lists(split: str) -> tuple[str, ...]:
    return (
        f"ImageSets/SegmentationContext/{split}.txt",
        f"pascalcontext_{split}.txt",
        f"ImageSets/Main/{split}.txt",  # the split of PASCAL Context is that of VOC2010
    )


def _context(split: str, classes: int, end: str, generated: Coding, original: Coding) -> list[Way]:
    name = f"pc{classes}_{split}"
    folder = _FOLDERS[split]
    sideways = f"{split}/label"
    return [
        (Layout("fc-clip", (f"images/{folder}",), f"annotations_ctx{classes}/{folder}", end),
         generated),
        (Layout("detectron2", ("JPEGImages",), f"annotations_detectron2/{name}", end), generated),
        (Layout("maft+", (f"images/{split}", "images", "JPEGImages"),
                f"annotations_detectron2_ovs/{name}", end), generated),
        (Layout("san", (f"{split}/image",), sideways, end), generated),
        *([] if classes != 59 else [(
            Layout("mmseg", ("JPEGImages",), "SegmentationClassContext",
                   listed=_context_lists(split)), _PC59_MMSEG)]),
        (Layout("original", _JPEG, "trainval", ".mat", listed=_context_lists(split)), original),
        *flat(generated, (end,)),
    ]  # fmt: skip


def _voc(split: str, classes: int, generated: Coding, original: Coding) -> list[Way]:
    folder = _FOLDERS[split]
    chosen = Layout(
        "original",
        ("JPEGImages",),
        "SegmentationClass",
        listed=(f"ImageSets/Segmentation/{split}.txt",),
    )
    labels = f"annotations_pascal{classes}/{folder}"
    ways = [(Layout("fc-clip", (f"images/{folder}",), labels), generated)]
    if classes == 20:  # these hold no background
        labels = f"annotations_detectron2/{split}"
        ways += [
            (Layout("san", (f"images_detectron2/{split}",), labels), generated),
            (Layout("detectron2", ("JPEGImages",), labels), generated),
            (Layout("maft+", (f"images/{split}", "images", "JPEGImages"),
                    f"annotations_ovs/{split}"), generated),
        ]  # fmt: skip
    return [*ways, (chosen, original), *flat(original)]


def _order(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    """Which of the two orders of 59 classes the generated labels have."""
    return label_order(place, coding, sample) if coding.name == "detectron2" else (coding, ())


def _labels_txt(place: Place, coding: Coding, sample: Sample) -> tuple[Coding, tuple[str, ...]]:
    """Compares our 459 names with the set's own `labels.txt`, where that file is there."""
    path = place.base / "labels.txt"
    if not path.is_file():
        return coding, ()
    ours = ["".join(names[0].split()).casefold() for names in name_list("pc459", "official").names]
    theirs = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        number, colon, name = line.partition(":")
        if colon and number.strip().isdigit():
            theirs[int(number)] = "".join(name.split()).casefold()
    differ = [n for n, name in enumerate(ours, 1) if theirs.get(n) != name]
    if not differ:
        return coding, ("names are those of labels.txt, but for spaces",)
    return coding, (
        f"labels.txt differs from our list of names in {len(differ)} classes, first {differ[0]}",
    )


VOC20 = Benchmark(
    "voc20",
    "PASCAL VOC-20 (no background)",
    _VOC,
    {"val": (1449,), "train": (1464,)},
    lambda split: _voc(split, 20, _VOC20_GENERATED, _VOC20),
    (_VOC20, _VOC20_GENERATED),
)
VOC21 = Benchmark(
    "voc21",
    "PASCAL VOC-21 (with background)",
    _VOC,
    {"val": (1449,), "train": (1464,)},
    lambda split: _voc(split, 21, _VOC21, _VOC21),
)
PC59 = Benchmark(
    "pc59",
    "PASCAL Context-59",
    _CONTEXT,
    {"val": (5104, 5105), "train": (4998, 4996)},
    lambda split: _context(split, 59, ".png", _PC59, _PC59_MAT),
    (_PC59, _PC59_MMSEG),
    (_order,),
)
PC459 = Benchmark(
    "pc459",
    "PASCAL Context-459",
    _CONTEXT,
    {"val": (5104, 5105), "train": (4998, 4996)},
    lambda split: _context(split, 459, ".tif", _PC459, _PC459_MAT),
    (),
    (_labels_txt,),
)
