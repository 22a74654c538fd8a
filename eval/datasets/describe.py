"""What was found of a data set, in lines for people and as a record for reports.

`python -m eval.datasets.describe ade150 ~/data` prints it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from eval.datasets.opening import DATASETS, open_dataset
from eval.datasets.records import MapSet, RegionSet
from usearch.errors import UsearchError
from usearch.render.safe_text import printable

Rows = list[tuple[str, str]]


def describe(data: MapSet | RegionSet) -> Rows:
    """Name and value of each thing that a reader of a score must know about its data set.

    Values may hold file names: they are data, to be escaped where they are shown.
    """
    found = data.found
    rows = [("data set", data.name if found is None else f"{data.name}, layout {found.layout}")]
    count = f"{len(data.photos):,}"
    if found is not None:
        rows += [("photos in", str(found.images)), ("labels in", str(found.labels))]
        count += f" of {found.expected:,}" if found.expected else ""
    rows.append(("photos", count))
    if isinstance(data, MapSet):
        several = sum(len(one) > 1 for one in data.names)
        more = f", {several:,} with more than one name" if several else ""
        rows.append(("classes", f"{len(data.names):,}{more}"))
    else:
        regions = sum(len(photo.regions) for photo in data.photos)
        stuff = f" and {len(data.stuff):,} of stuff" if data.stuff else ""
        rows += [
            ("classes", f"{len(data.things):,}{stuff}"),
            ("regions", f"{regions:,}"),
        ]
    if data.list_id:
        rows.append(("names", data.list_id))
    if found is not None:
        rows.append(("values", found.encoding))
        rows += [("note", note) for note in found.notes]
    return rows


def as_record(data: MapSet | RegionSet) -> dict[str, object]:
    """The same as plain values for a report's JSON."""
    found = data.found
    record: dict[str, object] = {
        "name": data.name,
        "list_id": data.list_id,
        "photos": len(data.photos),
        "classes": len(data.names if isinstance(data, MapSet) else data.things + data.stuff),
    }
    if found is not None:
        record |= {
            "layout": found.layout,
            "images": str(found.images),
            "labels": str(found.labels),
            "expected_photos": found.expected,
            "complete": found.complete,
            "values": found.encoding,
            "notes": list(found.notes),
        }
    return record


def main(arguments: list[str] | None = None) -> int:
    """Prints what is found of a data set; 0, or the code of the error."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.datasets.describe",
        description="What is found of a data set below a folder, and how it is read.",
    )
    parser.add_argument("name", choices=DATASETS)
    parser.add_argument("root", type=Path, help="folder of the data set, or one that holds it")
    parser.add_argument("--split", default="val", help="val (default) or train")
    parser.add_argument("--layout", default="", help="take this layout; default: the first there")
    parser.add_argument("--names", default="", help="which list of names; default: synonyms")
    args = parser.parse_args(arguments)
    try:
        rows = describe(open_dataset(args.name, args.root, args.split, args.layout, args.names))
    except UsearchError as error:
        sys.stderr.write(f"error: {printable(error.message)}\n{printable(error.hint)}\n")
        return int(error.exit_code)
    for key, value in rows:
        sys.stdout.write(f"{key + ':':<11}{printable(value)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
