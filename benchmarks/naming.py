"""How well a preset names regions, finds them by text and fills class maps.

    python benchmarks/naming.py --preset mini --json report.json

On development photos with labels that no model was trained on: regions named from their
labelled masks and from the preset's own segments through a store, beside chance, the most
frequent name, mean colour and place alone, and public teacher networks on the same regions.
`docs/evaluation.md` says what each figure means and keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import teacher_names

from eval import baselines, datasets, naming, retrieval, semantic
from eval.stored import StoredPhoto, stored_photos
from usearch.classify import class_map, segment_probabilities

ROOT = Path(__file__).resolve().parent.parent
COCO_SETS = ("coco-stuff100", "coco-captions80")
PARTS = ("naming", "baselines", "store")


def main() -> None:
    args = parse_arguments()
    report: dict[str, object] = {"schema_version": 1, "preset": args.preset, "seconds": {}}
    clock = Clock(report["seconds"])
    sets = [datasets.region_set(args.data, name) for name in COCO_SETS]
    regions = naming.regions_to_name(sets)
    lists = {"things": list(sets[0].things), "stuff": list(sets[0].stuff)}
    lists["things_and_stuff"] = lists["things"] + lists["stuff"]
    if args.limit:
        regions = regions[:: max(1, len(regions) // args.limit)][: args.limit]

    model = None if args.parts == ["baselines"] else Model(args.preset, args.segmenter)
    reports: dict[str, naming.NamingReport] = {}
    if "naming" in args.parts:
        with clock("naming"):
            reports, found = labelled_masks(args, model, regions, lists)
        report["naming"] = {key: one.to_json() for key, one in reports.items()}
        report["retrieval_labelled_masks"] = found
    if "baselines" in args.parts:
        with clock("baselines"):
            floors = baseline_reports(args, regions, lists)
        report["baselines"] = compared(reports, floors)
    if "store" in args.parts:
        with clock("store"), tempfile.TemporaryDirectory() as scratch:
            store = args.store or Path(scratch) / ".usearch"
            report |= store_reports(args, model, store, sets, regions, lists, clock)
    if args.json:
        text = json.dumps(report, indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
        else:
            Path(args.json).write_text(text, encoding="utf-8")


def labelled_masks(args, model, regions, lists):
    """Name the labelled regions, and find them by their names."""
    found = naming.embed_regions(model.embedder.embed, regions)
    things = lists["things"]
    reports = {
        key: naming.report_of_vectors(found, model.text(names), names)
        for key, names in lists.items()
    }
    held_out = set(read_names(args.held_out)) & set(found.names) & set(things)
    if held_out:
        reports["held_out"] = naming.report_of_vectors(
            found, model.text(things), things, only=held_out
        )
    for key, one in reports.items():
        print_naming(f"{model.preset}, labelled masks, {key}", one)
    retrieved = retrieval.retrieval_report(
        unit(found.vectors),
        np.array(things)[:, None] == np.array(found.names)[None],
        model.text(things),
        things,
        np.isin(things, found.names),
        len(regions),
    ).to_json()
    print_retrieval("text to labelled region", retrieved)
    return reports, retrieved


def compared(reports, floors) -> dict[str, object]:
    """The baselines as plain values, each with our gain over it and the gain's interval."""
    out: dict[str, object] = {}
    for key, rows in floors.items():
        n_names = next(iter(rows.values())).n_names
        out[key] = {"chance": {"top1": 1 / n_names, "top5": 5 / n_names, "class_mean": 1 / n_names}}
        for name, one in rows.items():
            print_naming(f"{name}, {key}", one)
            out[key][name] = one.to_json()
            if key in reports:
                gain = naming.compare(reports[key], one)
                out[key][name]["ours_minus_this"] = {k: [i.low, i.high] for k, i in gain.items()}
    return out


def parse_arguments() -> argparse.Namespace:
    shared = ROOT.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--segmenter", help="another segmenter than the preset's")
    parser.add_argument("--data", type=Path, default=shared / "data", help="development sets")
    parser.add_argument(
        "--teachers",
        type=Path,
        default=shared / "teachers",
        help="folder of teacher networks; left out when it does not exist",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE",
        help="names, one a line, that the model was never trained on",
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--store", type=Path, help="keep the store here (else: a temporary one)")
    parser.add_argument("--limit", type=int, help="about so many of the COCO photos")
    parser.add_argument("--json", metavar="FILE", help="write the report ('-': to stdout, last)")
    return parser.parse_args()


class Model:
    """A preset's image and text side; text vectors are made once a name."""

    def __init__(self, preset: str, segmenter: str | None) -> None:
        from indexer.presets import load_indexer
        from usearch.models.presets import load_text_encoder, preset_calibration, preset_templates
        from usearch.text.templates import TEMPLATES

        self.load = partial(load_indexer, preset, segmenter, "cpu")
        self.segmenter, self.embedder = self.load()
        self.encoder = load_text_encoder(preset)
        self.templates = TEMPLATES[preset_templates(preset)]
        self.logit_scale = preset_calibration(preset).logit_scale
        self.preset = preset

    def text(self, names: Sequence[str]) -> np.ndarray:
        """Vectors of names, float32 [n, D], by the preset's templates."""
        from usearch.text.embed import embed_names

        return embed_names(self.encoder, list(names), self.templates)


def baseline_reports(args, regions, lists) -> dict[str, dict[str, naming.NamingReport]]:
    """What knows little (frequency, colour and place) and what knows much (teachers)."""
    right = [name for photo in regions for name in photo.names]
    photo_of = np.repeat(np.arange(len(regions)), [len(photo.names) for photo in regions])
    features = baselines.colour_and_place_of(regions)
    out = {}
    for key in ("things", "stuff"):
        names = lists[key]
        rows = np.flatnonzero(np.isin(right, names))
        if len(rows) == 0:
            continue
        labels = np.array([names.index(right[i]) for i in rows])
        score = partial(naming.report_of_scores, labels=labels, photos=photo_of[rows], names=names)
        out[key] = {
            "most frequent name": score(naming.most_frequent_scores(labels, len(names))),
            "colour and place": score(
                baselines.other_photos_scores(
                    baselines.with_products(features[rows]), labels, photo_of[rows], len(names)
                )
            ),
        }
        if key == "things" and args.teachers.is_dir():
            chosen = [keep_things(photo) for photo in regions if photo.things.any()]
            clip = teacher_names.ClipNames(args.data)
            imagenet = teacher_names.imagenet_scores(args.teachers, clip, names, chosen)
            detector = teacher_names.detector_scores(args.teachers, names, chosen)
            out[key]["teacher: ImageNet network on the crop"] = score(imagenet)
            out[key]["teacher: COCO detector's boxes"] = score(detector)
            out[key]["teachers: both"] = score(teacher_names.joined_scores(imagenet, detector))
    return out


def keep_things(photo: naming.PhotoRegions) -> naming.PhotoRegions:
    """The countable things among a photo's regions."""
    from usearch.masks import rle_to_counts, segments_from_counts

    rows = np.flatnonzero(photo.things).tolist()
    size = photo.segments.size
    counts = [rle_to_counts(photo.segments.rles[i], size) for i in rows]
    return naming.PhotoRegions(
        photo.path,
        segments_from_counts(counts, size, np.ones(len(rows))),
        tuple(photo.names[i] for i in rows),
        photo.things[rows],
    )


def store_reports(args, model, store, sets, regions, lists, clock) -> dict[str, object]:
    """Index the photos with the preset's own segments, then answer from the store."""
    from indexer.pipeline import index_photos
    from usearch.store import open_snapshot

    map_sets = [datasets.map_set(args.data, name) for name in ("camvid60", "ade150")]
    folders = [args.data / name / "images" for name in COCO_SETS]
    folders += [one.photos[0].path.parent for one in map_sets]
    with clock("store: index"):
        done = index_photos(folders, store, model.load, preset=model.preset)
    snapshot = open_snapshot(store)
    print(
        f"\nindexed {done.indexed} photos, {snapshot.n_segments} segments, "
        f"{done.seconds:.1f} s ({done.indexed / max(done.seconds, 1e-9):.2f} photos a second)"
    )
    out: dict[str, object] = {
        "index": {
            "photos": done.indexed,
            "segments": snapshot.n_segments,
            "seconds": done.seconds,
            "stage_seconds": done.stage_seconds,
        },
    }
    stored = list(stored_photos(snapshot, [photo.path for photo in regions]))
    with clock("store: naming and retrieval"):
        reports, found = stored_naming(model, stored, regions, lists["things"])
        out["naming_stored_segments"] = {key: one.to_json() for key, one in reports.items()}
        for key, one in reports.items():
            print_naming(f"{model.preset}, stored segments, {key}", one)
        out["retrieval_stored_segments"] = found
        print_retrieval("text to stored segment, IoU >= 0.5", found)
    with clock("store: maps"):
        out["maps"] = {}
        for one in map_sets:
            photos = stored_photos(snapshot, [photo.path for photo in one.photos])
            truth = [datasets.read_labels(photo, one.values) for photo in one.photos]
            result = maps(model, photos, truth, one.names)
            out["maps"][one.name] = result.to_json()
            print_map(one.name, result)
        things, stuff = lists["things"], lists["stuff"]
        with_other = [(name,) for name in things] + [tuple(stuff)]
        row_of = {name: i for i, name in enumerate(things)}
        for one in sets:
            truth = [datasets.label_map(p, row_of, rest=len(things)) for p in one.photos]
            photos = stored_photos(snapshot, [p.path for p in one.photos])
            result = maps(model, photos, truth, with_other)
            key = f"{one.name}: 80 things and other"
            out["maps"][key] = result.to_json() | {
                "miou_things": semantic.things_only(result, len(things))
            }
            print_map(key, result, f"things alone {semantic.things_only(result, 80):.3f}")
        row_of = {name: i for i, name in enumerate(lists["things_and_stuff"])}
        truth = [datasets.label_map(p, row_of) for p in sets[0].photos]
        photos = stored_photos(snapshot, [p.path for p in sets[0].photos])
        result = maps(model, photos, truth, [(name,) for name in lists["things_and_stuff"]])
        out["maps"][f"{sets[0].name}: 171 classes"] = result.to_json()
        print_map(f"{sets[0].name}: 171 classes", result)
    return out


def stored_naming(model, stored: list[StoredPhoto], regions, things):
    """Name each labelled thing by its best stored segment; find names among all segments."""
    text = model.text(things)
    column = {name: i for i, name in enumerate(things)}
    scores, labels, photo_of, covered, relevant = [], [], [], [], []
    for number, (photo, own) in enumerate(zip(regions, stored, strict=True)):
        if len(own.segments) == 0:
            continue
        ious = retrieval.region_ious(photo, own.segments)
        relevant.append(retrieval.right_segments(ious, photo.names, things))
        for name, row in zip(photo.names, ious, strict=True):
            if name in column:
                scores.append(own.vectors[row.argmax()] @ text.T)
                labels.append(column[name])
                photo_of.append(number)
                covered.append(row.max() >= 0.5)
    scores, labels = np.array(scores), np.array(labels)
    photo_of, covered = np.array(photo_of), np.array(covered)
    reports = {"things, best segment": naming.report_of_scores(scores, labels, photo_of, things)}
    if covered.any():
        reports["things, best segment of IoU >= 0.5"] = naming.report_of_scores(
            scores[covered], labels[covered], photo_of[covered], things
        )
    found = retrieval.retrieval_report(
        np.concatenate([one.vectors for one in stored]),
        np.concatenate(relevant, axis=1),
        text,
        things,
        np.isin(np.arange(len(things)), labels),
        len(stored),
    )
    return reports, found.to_json()


def maps(model, photos: Iterator[StoredPhoto], truth, names) -> semantic.SemanticReport:
    """Class maps of stored photos at the size of their labels, against the labels."""
    flat = [name for row in names for name in row]
    ends = np.cumsum([len(row) for row in names])
    vectors = np.split(model.text(flat), ends[:-1])

    def pairs():
        for photo, labels in zip(photos, truth, strict=True):
            share = segment_probabilities(photo.vectors, vectors, model.logit_scale)
            yield labels, class_map(photo.segments, share, labels.shape)

    return semantic.semantic_report(pairs(), len(names))


def read_names(path: Path | None) -> list[str]:
    return [] if path is None else [n for n in path.read_text().splitlines() if n.strip()]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class Clock:
    """Writes the seconds of named stages into a dict."""

    def __init__(self, seconds) -> None:
        self.seconds = seconds

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure what runs inside."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


def print_naming(title: str, one: naming.NamingReport) -> None:
    def cell(key: str) -> str:
        interval = one.intervals[key]
        return (
            f"{100 * getattr(one, key):5.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
        )

    print(
        f"{title:58s} top-1 {cell('top1'):19s} class mean {cell('class_mean'):19s} "
        f"top-5 {cell('top5'):19s} {one.n_regions} regions, {one.n_photos} photos, "
        f"{one.n_present} of {one.n_names} names"
    )


def print_retrieval(title: str, found: dict[str, object]) -> None:
    print(
        f"{title}: recall@1 {found['recall@1']:.3f} (chance {found['chance@1']:.3f}), "
        f"recall@10 {found['recall@10']:.3f} (chance {found['chance@10']:.3f}); "
        f"{found['n_names']} names, {found['n_reachable']} with a right segment among "
        f"{found['n_segments']} of {found['n_photos']} photos"
    )


def print_map(name: str, one: semantic.SemanticReport, more: str = "") -> None:
    scores = one.scores
    print(
        f"{name}: mIoU {scores.miou_present:.3f} [{one.interval.low:.3f}, "
        f"{one.interval.high:.3f}] over {scores.n_present} labelled classes, "
        f"{scores.miou_union:.3f} over labelled or predicted, pixel accuracy "
        f"{scores.pixel_accuracy:.3f}, covered {one.covered:.3f}, {one.n_photos} photos {more}"
    )


if __name__ == "__main__":
    main()
