"""Reports as JSON, `usearch/schemas/eval.json`, and back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.metrics import Interval
from eval.photo_sums import PhotoSums, sparse_sums
from eval.report import ClassRow, EvalReport, Published, Sample
from usearch.errors import InputError

SCHEMA = "usearch.eval/1"


def report_values(report: EvalReport) -> dict[str, Any]:
    """Plain JSON values of a report, without the keys that every `--json` document has."""
    return {
        "data_set": report.data_set,
        "list_id": report.list_id,
        "system": report.system,
        "command_line": _plain(report.command),
        "n_photos": report.n_photos,
        "n_classes": report.n_classes,
        "subset": report.subset,
        "metrics": dict(report.metrics),
        "intervals": {key: [i.low, i.high] for key, i in report.intervals.items()},
        "published": [
            {
                "key": p.key,
                "value": p.value,
                "system": p.system,
                "source": p.source,
                "comparable": p.comparable,
                "note": p.note,
            }
            for p in report.published
        ],
        "times": dict(report.times),
        "options": dict(report.options),
        "notes": [_plain(note) for note in report.notes],
        "per_class": [
            {
                "name": row.name,
                "iou": row.iou,
                "labelled": row.labelled,
                "predicted": row.predicted,
                "right": row.right,
                "taken_for": row.taken_for,
                "taken_share": row.taken_share,
            }
            for row in report.classes
        ],
        "samples": {key: _sample_values(sample) for key, sample in report.samples.items()},
    }


def _sample_values(sample: Sample) -> dict[str, Any]:
    rows = list(sample.sums.rows())
    return {
        "unit": sample.unit,
        "n_columns": sample.sums.n_columns,
        "names": [_plain(name) for name in sample.names],
        "columns": [columns.tolist() for columns, _ in rows],
        "values": [[_short(value) for value in values.tolist()] for _, values in rows],
    }


def report_text(report: EvalReport) -> str:
    """The JSON document of a report: ASCII, one line a row of numbers, ends with a line end."""
    head = {"schema": SCHEMA, "schema_version": 1, "command": "eval"}
    return "".join(_lines({**head, **report_values(report)}, "")) + "\n"


def read_report(path: Path) -> EvalReport:
    """A report that was written as JSON.

    Raises:
        InputError: The file is missing, no report, or one of a newer form.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}") from problem
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{path} is no JSON: {problem}", _HINT) from problem
    found = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found.startswith("usearch.eval/"):
        raise InputError(f"{path} is no report of an evaluation", _HINT)
    if found != SCHEMA:
        raise InputError(f"{path} has the form {found}; this version reads {SCHEMA}", _NEWER)
    try:
        return _report(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as problem:
        raise InputError(f"{path} is a damaged report: {_said(problem)}", _HINT) from problem


_HINT = "`usearch eval ... --json > report.json` writes one"
_NEWER = "upgrade usearch, or measure again with this version"


def _report(document: dict[str, Any]) -> EvalReport:
    return EvalReport(
        data_set=str(document["data_set"]),
        list_id=str(document["list_id"]),
        system=str(document["system"]),
        command=str(document["command_line"]),
        n_photos=int(document["n_photos"]),
        n_classes=int(document["n_classes"]),
        subset=bool(document["subset"]),
        metrics={
            str(key): None if value is None else _number(value)
            for key, value in document["metrics"].items()
        },
        intervals={
            str(key): Interval(*map(_number, ends)) for key, ends in document["intervals"].items()
        },
        published=tuple(
            Published(
                str(p["key"]),
                _number(p["value"]),
                str(p["system"]),
                str(p["source"]),
                bool(p["comparable"]),
                str(p["note"]),
            )
            for p in document["published"]
        ),
        times={str(key): _number(value) for key, value in document["times"].items()},
        options=dict(document["options"]),
        notes=tuple(map(str, document["notes"])),
        classes=tuple(map(_class_row, document["per_class"])),
        samples={str(key): _sample(key, value) for key, value in document["samples"].items()},
    )


def _class_row(row: dict[str, Any]) -> ClassRow:
    return ClassRow(
        name=str(row["name"]),
        iou=None if row["iou"] is None else _number(row["iou"]),
        labelled=int(row["labelled"]),
        predicted=int(row["predicted"]),
        right=int(row["right"]),
        taken_for=None if row["taken_for"] is None else str(row["taken_for"]),
        taken_share=_number(row["taken_share"]),
    )


def _sample(key: str, value: dict[str, Any]) -> Sample:
    names = tuple(map(str, value["names"]))
    sums: PhotoSums = sparse_sums(
        zip(value["columns"], value["values"], strict=True), int(value["n_columns"])
    )
    if len(names) != len(sums):
        raise ValueError(f"{key}: {len(names)} names of {len(sums)} rows")
    return Sample(str(value["unit"]), names, sums)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _short(value: float) -> float:
    return int(value) if value.is_integer() else value


def _plain(text: str) -> str:
    """File names have bytes that JSON has not: they become U+FFFD."""
    return os.fsencode(text).decode("utf-8", "replace")


def _said(problem: Exception) -> str:
    return f"no {problem}" if isinstance(problem, KeyError) else str(problem)


def _lines(value: Any, indent: str) -> Iterator[str]:
    """JSON with objects and lists of lists opened, and lists of plain values on one line."""
    opened = isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
    )
    if not value or not opened:
        yield json.dumps(value, allow_nan=False)
        return
    inner = indent + " "
    yield "{\n" if isinstance(value, dict) else "[\n"
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for number, (key, item) in enumerate(items):
        yield (",\n" if number else "") + inner
        if key is not None:
            yield json.dumps(key) + ": "
        yield from _lines(item, inner)
    yield "\n" + indent + ("}" if isinstance(value, dict) else "]")
