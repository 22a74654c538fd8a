"""Opening a benchmark as people have it on disk."""

from __future__ import annotations

from pathlib import Path

from eval.datasets import ade, coco_stuff, pascal
from eval.datasets.benchmarks import Benchmark, Way
from eval.datasets.codings import Coding, settle
from eval.datasets.labels import sample_values
from eval.datasets.layouts import PHOTO_ENDS, Layout, Place, bases, folders_in, place_at, places
from eval.datasets.lists import name_list
from eval.datasets.part_imagenet import open_part_imagenet
from eval.datasets.records import Found, MapSet, RegionSet
from usearch.errors import InputError, UsageError

BENCHMARKS = {
    one.name: one
    for one in (
        ade.ADE150,
        ade.ADE847,
        pascal.PC59,
        pascal.PC459,
        pascal.VOC20,
        pascal.VOC21,
        coco_stuff.COCO_STUFF,
    )
}
_ABOVE = 3
"""Folders above the given one that are looked at when someone gives a part of a set."""
_PACKED = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".7z")
DATASETS = (*BENCHMARKS, "partimagenet")


def open_dataset(
    name: str,
    root: Path,
    split: str = "val",
    layout: str = "",
    names: str = "",
    label_size: str = "published",
) -> MapSet | RegionSet:
    """A benchmark found below a folder; `found` of what comes back says what was read and how.

    Args:
        name: One of `DATASETS`.
        root: The data set's folder, or one that holds it at most two levels deeper.
        split: `val` (what published figures are on) or `train`; for partimagenet also `test`.
        layout: Name of a layout to take; empty = the first that is there.
        names: Which names classes have, one of `lists.list_kinds(name)`; empty = the usual ones.
        label_size: `published`: labels at the size that published figures are on (ADE20K-847: a
            short side of 512); `original`: as they are.

    Returns:
        A `MapSet` whose maps `read_map` reads; for `partimagenet` a `RegionSet` (only its edition
        with index pictures is a `MapSet`, which part AP cannot be measured on).

    Raises:
        UsageError: Data set, split, layout or list is unknown.
        InputError: Nothing of the data set is there, or its labels are of no known form; the
            message says which folders were looked for, the hint where the set comes from.
    """
    if name not in DATASETS:
        raise UsageError(f"no data set '{name}'", f"one of {', '.join(DATASETS)}")
    if label_size not in ("published", "original"):
        raise UsageError(f"no label size '{label_size}'", "one of published, original")
    if name == "partimagenet":
        return open_part_imagenet(root, split, layout, names)
    bench = BENCHMARKS[name]
    if split not in bench.photos:
        raise UsageError(f"{name} has no split '{split}'", f"one of {', '.join(bench.photos)}")
    listed = name_list(name, names)
    ways = _chosen(bench, split, layout)
    expected = bench.photos[split]
    found = places(root, [way[0] for way in ways], expected)
    if not found:
        raise _missing(bench, root, split, ways)
    place = found[0]
    told = next(coding for one, coding in ways if one is place.layout)
    coding, notes = _coding(bench, place, told)
    if label_size == "original":
        coding = ade.at_label_size(coding)
    notes = (
        *_fewer(place, expected, bench.title),
        *place.notes,
        *notes,
        *(f"also there, not taken: {other.layout.name} ({other.labels})" for other in found[1:]),
    )
    return MapSet(
        name=name,
        photos=place.photos,
        names=listed.names,
        values=coding.values,
        list_id=listed.list_id,
        encoding=coding.encoding,
        ignore=coding.ignore,
        short_side=coding.short_side,
        found=Found(
            root=root,
            layout=place.layout.name,
            images=place.images,
            labels=place.labels,
            photos=len(place.photos),
            expected=_nearest(len(place.photos), expected),
            encoding=coding.reading,
            notes=notes,
        ),
    )


def _chosen(bench: Benchmark, split: str, layout: str) -> list[Way]:
    ways = bench.ways(split)
    chosen = [way for way in ways if layout in ("", way[0].name)]
    if not chosen:
        known = dict.fromkeys(way[0].name for way in ways)
        raise UsageError(f"{bench.name} has no layout '{layout}'", f"one of {', '.join(known)}")
    return chosen


def _coding(bench: Benchmark, place: Place, told: Coding) -> tuple[Coding, tuple[str, ...]]:
    """How the files of a place hold classes, by looking at some of them."""
    sample = sample_values(place.photos, told.encoding)
    coding, note = settle(told, bench.others, sample)
    notes = [note] if note else []
    for check in bench.checks:
        coding, more = check(place, coding, sample)
        notes += more
    low, high = min(sample.pixels, default=0), max(sample.pixels, default=0)
    seen = (
        f"{sample.files:,} of {len(place.photos):,} label files looked at: values {low} to {high}"
    )
    return coding, (seen, *notes)


def _nearest(photos: int, expected: tuple[int, ...]) -> int:
    return photos if photos in expected else expected[0]


def _fewer(place: Place, expected: tuple[int, ...], title: str) -> tuple[str, ...]:
    count = len(place.photos)
    if count in expected:
        return ()
    return (
        f"{count:,} photos, {title} has {expected[0]:,}: "
        "a score is not comparable with published ones",
    )


def _missing(bench: Benchmark, root: Path, split: str, ways: list[Way]) -> InputError:
    """What was looked for, what is there of it, and where the set comes from."""
    layouts = [layout for layout, _ in ways]
    for parent in root.resolve().parents[:_ABOVE]:
        if any((place := place_at(parent, one)) and place.photos for one in layouts):
            return InputError(
                f"no {bench.title} ({split}) below {root}: that is a part of it",
                f"give the whole set: --root {parent}",
            )
    below = list(bases(root))
    partial = []
    for layout in layouts:
        for base in below[:1] if layout.here else below:
            partial += _partly(base, layout)
    found = "; ".join(list(dict.fromkeys(partial))[:4]) or _holds(root)
    wanted = dict.fromkeys(f"{' or '.join(one.images)} with {one.labels}/*{one.ends}"
                           for one in layouts if not one.here)  # fmt: skip
    return InputError(
        f"no {bench.title} ({split}) below {root}, nor two folders deeper. Looked for: "
        f"{'; '.join(wanted)}. Found: {found}",
        f"the set is {bench.source}; give its folder as --root",
    )


def _holds(root: Path) -> str:
    """What is in a folder, for whoever expected a data set there."""
    packed = sorted(f.name for f in root.iterdir() if f.name.lower().endswith(_PACKED))
    if packed:
        return f"{', '.join(packed[:3])}, not unpacked"
    folders = [folder.name for folder in folders_in(root)]
    return f"only {', '.join(folders[:8])}" if folders else "no folder at all"


def _partly(base: Path, layout: Layout) -> list[str]:
    """What is there of a layout that is not there in full."""
    labels = base / layout.labels
    if layout.labels == ".":
        return []
    place = place_at(base, layout)
    if place is not None:
        if not any(f.suffix.lower() in PHOTO_ENDS for f in place.images.rglob("*")):
            return [f"no photo in {place.images}"]
        return ["; ".join(place.notes) or f"no *{layout.ends} in {labels}"]
    if labels.is_dir() and labels not in [base / one for one in layout.images]:
        return [f"{labels} without {' or '.join(layout.images)}"]
    if labels.parent.is_dir() and labels.parent != base and not layout.here:
        return [f"{labels.parent} without {labels.name}"]
    return []
