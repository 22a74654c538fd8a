"""The figures of docs/evaluation.md, "Class maps": `usearch eval` on the development sets.

    python benchmarks/evaluation.py --work /tmp/evaluation

Runs the commands that it prints, one after the other, keeps their reports in the work folder, and
prints the tables. Photos are indexed into stores in the work folder; run again, nothing is indexed
again. COCO's annotations become index PNGs there first, for `usearch eval folder`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CUT = ["tree+mini", "given+mini"]
CROPPED = ["tree+mini", "tree+crop", "given+mini", "given+crop"]


def main() -> None:
    args = parse_arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    # Before usearch is imported: stores and text vectors of this run are of this run alone.
    os.environ["XDG_CACHE_HOME"] = str(args.work.resolve() / "cache")
    names = ["--classes", str(write_camvid_names(args))]
    camvid = args.data / "camvid60"
    pair = ["--images", str(camvid / "images"), "--masks", str(camvid / "masks")]
    # The file's last value, 11, means "not labelled".
    sets = {
        "ade150": ["ade150", "--root", str(args.data / "ade150")],
        "camvid60": ["folder", *pair, *names, "--first-index", "0", "--ignore", "11"],
        "coco171": coco_folder(args, "coco171"),
        "coco81": coco_folder(args, "coco81"),
    }
    chosen = {key: words for key, words in sets.items() if key in args.sets}
    for key, words in chosen.items():
        few = key == "ade150"
        systems = ",".join(CROPPED if few and not args.no_crops else CUT)
        run(args, key, [*words, "--systems", systems, "--errors", "--bank", "self"])
    if "ade150" in chosen:
        for name, more in options().items():
            run(args, f"ade150-{name}", [*sets["ade150"], *more])
    if "camvid60" in chosen:
        for name, more in options(lists=False).items():
            run(args, f"camvid60-{name}", [*sets["camvid60"], *more])
    print_tables(args, list(chosen))


def options(lists: bool = True) -> dict[str, list[str]]:
    """What is off by default, one at a time, from the store that is there."""
    found = {
        "vote": ["--vote"],
        "stability": ["--stability", "1"],
        "scale10": ["--scale", "10"],
        "scale100": ["--scale", "100"],
        "single": ["--templates", "single"],
        "use4": ["--templates", "use4"],
        "maskclip85": ["--templates", "maskclip85"],
    }
    return found | ({"first-names": ["--names", "first"]} if lists else {})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = ROOT.parent / "shared"
    parser.add_argument("--data", type=Path, default=shared / "data", help="development sets")
    parser.add_argument("--work", type=Path, required=True, help="stores and reports go here")
    parser.add_argument(
        "--sets",
        nargs="+",
        default=["ade150", "camvid60", "coco171", "coco81"],
        choices=["ade150", "camvid60", "coco171", "coco81"],
    )
    parser.add_argument("--no-crops", action="store_true", help="leave the slow baseline out")
    parser.add_argument("--workers", default="1", help="processes that index")
    return parser.parse_args()


def write_camvid_names(args: argparse.Namespace) -> Path:
    """CamVid's class names with the everyday words of its description."""
    from eval.datasets import map_set

    path = args.work / "camvid.txt"
    rows = map_set(args.data, "camvid60").names
    path.write_text("".join(", ".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def coco_folder(args: argparse.Namespace, kind: str) -> list[str]:
    """Words of `usearch eval` for coco-stuff100: its annotations as index PNGs.

    `coco171`: 80 things and 91 stuff classes. `coco81`: the things, and one class "other" whose
    names are those of the stuff. Where regions overlap, the smaller one lies on top.
    """
    from PIL import Image

    from eval.datasets import NO_LABEL, label_map, region_set

    found = region_set(args.data, "coco-stuff100")
    things = kind == "coco81"
    rows = [(name,) for name in found.things]
    rows += [found.stuff] if things else [(name,) for name in found.stuff]
    row_of = {row[0]: i for i, row in enumerate(rows[: len(found.things)] if things else rows)}
    folder = args.work / kind
    folder.mkdir(exist_ok=True)
    for photo in found.photos:
        path = folder / f"{photo.path.stem}.png"
        if not path.exists():
            labels = label_map(photo, row_of, rest=len(found.things) if things else NO_LABEL)
            Image.fromarray(np.minimum(labels, 255).astype(np.uint8)).save(path)
    names = args.work / f"{kind}.txt"
    names.write_text("".join(", ".join(row) + "\n" for row in rows), encoding="utf-8")
    images = str(found.photos[0].path.parent)
    pair = ["--images", images, "--masks", str(folder), "--classes", str(names)]
    return ["folder", *pair, "--first-index", "0", "--ignore", "255"]


def run(args: argparse.Namespace, name: str, words: list[str]) -> None:
    """One command, in this process; its reports go into the work folder."""
    from usearch.cli import main as usearch

    report = ["-o", str(args.work / f"{name}.json"), "--force", "--workers", args.workers]
    words = ["eval", *words, *report]
    sys.stderr.write(f"\n$ {shlex.join(['usearch', *words])}\n")
    start = time.monotonic()
    code = usearch(words)
    sys.stderr.write(f"{time.monotonic() - start:.1f} s\n")
    if code:
        raise SystemExit(code)


def print_tables(args: argparse.Namespace, sets: list[str]) -> None:
    """Markdown tables of the reports in the work folder."""
    from eval.report_json import read_report

    print("| set | system | photos | mIoU | union | fwIoU | pixels | with the bank |")
    print("|---|---|---|---|---|---|---|---|")
    reports = {
        (key, path.name.split(".")[1]): read_report(path)
        for key in sets
        for path in sorted(args.work.glob(f"{key}.*.json"))
    }
    for (key, system), one in reports.items():
        cells = [cell(one, k) for k in ("miou_present", "miou_union", "fwiou", "pixel_accuracy")]
        bank = cell(one, "bank.miou_present")
        print(f"| {key} | {system} | {one.n_photos} | {' | '.join(cells)} | {bank} |")
    print("\n| set | this run | true names on our segments | our names on labelled masks |")
    print("|---|---|---|---|")
    for (key, system), one in reports.items():
        if system == "tree+mini":
            prefixes = ("", "oracles.proposals.", "oracles.naming.")
            print(f"| {key} | {' | '.join(cell(one, p + 'miou_present') for p in prefixes)} |")
    print("\n| set | index | texts | maps |\n|---|---|---|---|")
    for (key, system), one in reports.items():
        if system == "tree+mini":
            times = [f"{one.times[k]:.1f} s" for k in ("index", "texts", "maps")]
            print(f"| {key} | {' | '.join(times)} |")
    print("\n| option | set | mIoU | pixels |\n|---|---|---|---|")
    for key in sets:
        for path in sorted(args.work.glob(f"{key}-*.json")):
            one = read_report(path)
            option = path.stem.removeprefix(f"{key}-")
            row = [cell(one, "miou_present"), cell(one, "pixel_accuracy")]
            print(f"| {option} | {key} | {' | '.join(row)} |")


def cell(report: object, key: str) -> str:
    """A figure in % with its interval."""
    from eval.report_table import shown_interval, shown_value

    if key not in report.metrics:
        return "-"
    return f"{shown_value(key, report.metrics[key])} {shown_interval(report, key)}".strip()


if __name__ == "__main__":
    main()
