"""What `usearch segment` writes and prints, photo by photo."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from usearch.cli.bank_output import explained_values, print_explained
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.errors import ExitCode, UsageError
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.classify import PhotoShares
    from usearch.cli.class_sources import ClassedPhoto, SkippedPhoto
    from usearch.render import class_coco, share_files
    from usearch.render.class_files import MapFiles
    from usearch.text.class_lists import ClassList

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written."""

    listed: ClassList
    output: Path | None
    overlay: bool
    shares: Path | None
    coco: Path | None
    force: bool
    json: bool


@dataclass(frozen=True, slots=True)
class Places:
    """Where it goes: a map for each photo, and the names of the values."""

    maps: list[MapFiles | None]
    names: Path | None


def prepare(wanted: Wanted, photos: list[Path], keep: list[Path]) -> Places:
    """Places for all that is written; what is in the way is found before any model loads."""
    from usearch.render import class_files, share_files
    from usearch.result_files import make_folder, refuse_existing

    tables = [path for path in (wanted.shares, wanted.coco) if path is not None]
    for path in tables:
        make_folder(path.parent)
        refuse_existing(path, force=wanted.force)
        if class_files.free_name(path, [*photos, *keep]) != path:
            raise UsageError(f"{path} is an input", "name another file")
    if len(tables) == 2 and class_files.free_name(tables[0], tables[1:]) != tables[0]:
        raise UsageError(f"{tables[0]} is named twice", "name two files")
    if wanted.shares is not None:
        share_files.format_of(wanted.shares)
    if wanted.output is None:
        return Places([None] * len(photos), None)
    make_folder(wanted.output)
    kept = [*keep, *tables]
    maps = class_files.map_files(photos, wanted.output, reserved=kept)
    names = class_files.free_name(wanted.output / "classes.txt", [*kept, *photos])
    return Places(list(maps), names)


def write_all(
    wanted: Wanted,
    places: Places,
    found: Iterable[ClassedPhoto | SkippedPhoto],
    total: int,
) -> list[dict[str, Any]]:
    """Write and print one photo after the other; what happened, as plain JSON values."""
    from usearch.classify import photo_shares
    from usearch.cli.class_sources import SkippedPhoto
    from usearch.render.class_files import write_names
    from usearch.render.share_files import photo_values

    reports: list[dict[str, Any]] = []
    if places.names is not None:
        write_names(places.names, wanted.listed.titles)
    with ExitStack() as files:
        tables: _Tables | None = None
        for photo, place in zip(found, places.maps, strict=True):
            if isinstance(photo, SkippedPhoto):
                note(f"skipped: {photo.path}: {photo.detail}")
                reports.append(
                    {
                        "image": json_name(photo.path),
                        "status": photo.reason,
                        "detail": photo.detail,
                    }
                )
                continue
            height, width = photo.size
            numbers = photo_shares(photo.found, str(photo.path), width, height, photo.photo)
            report = {"status": "ok", **photo_values(numbers, wanted.listed.titles)}
            if place is not None:
                report |= _write_maps(wanted, place, photo)
            tables = tables or _open_tables(wanted, files)
            if tables.shares is not None:
                tables.shares(numbers)
            if tables.coco is not None:
                tables.coco(photo.path, photo.size, photo.segments, photo.found)
            if photo.explained is not None:
                report["explained"] = [explained_values(one) for one in photo.explained]
            if not wanted.json:
                _print_photo(numbers, place, wanted, alone=total == 1)
                for one in photo.explained or []:
                    print_explained(one)
            reports.append(report)
    return reports


@dataclass(frozen=True, slots=True)
class _Tables:
    """Functions that write a photo into each table."""

    shares: share_files.Add | None
    coco: class_coco.Add | None


def _open_tables(wanted: Wanted, files: ExitStack) -> _Tables:
    """Begun with the first photo that is read: where none is, no table is left behind."""
    from usearch.cli.output import SCHEMA_VERSION
    from usearch.render.class_coco import class_coco_writer
    from usearch.render.share_files import format_of, share_writer
    from usearch.result_files import new_file

    add_shares = add_coco = None
    if wanted.shares is not None:
        out = files.enter_context(new_file(wanted.shares, force=wanted.force))
        head = {"schema_version": SCHEMA_VERSION, "command": "segment"}
        kind = format_of(wanted.shares)
        add_shares = files.enter_context(share_writer(out, kind, wanted.listed, head=head))
    if wanted.coco is not None:
        out = files.enter_context(new_file(wanted.coco, force=wanted.force))
        add_coco = files.enter_context(class_coco_writer(out, wanted.listed))
    return _Tables(add_shares, add_coco)


def _write_maps(wanted: Wanted, place: MapFiles, photo: ClassedPhoto) -> dict[str, str]:
    from usearch.classify import resized_map
    from usearch.render.class_files import write_class_map, write_picture

    grid = photo.found.map()
    write_class_map(place.map, resized_map(grid, photo.size), len(wanted.listed))
    written = {"map": json_name(place.map)}
    if wanted.overlay:
        from usearch.render.overlay import class_overlay

        shown = grid if photo.image is None else resized_map(grid, photo.image.shape[:2])
        write_picture(place.overlay, class_overlay(photo.image, shown, wanted.listed.titles))
        written["overlay"] = json_name(place.overlay)
    return written


def _print_photo(
    numbers: PhotoShares, place: MapFiles | None, wanted: Wanted, *, alone: bool
) -> None:
    from usearch.render.safe_text import printable
    from usearch.render.share_files import class_values, other_values
    from usearch.search import shown_path

    titles = wanted.listed.titles
    photo = printable(shown_path(Path(numbers.image).absolute()))
    rows = [
        (str(one["name"]), float(one["share"]))
        for one in [*class_values(numbers, titles), *other_values(numbers, len(titles))]
        if one["share"] > 0
    ]
    if not is_terminal():
        written = "" if place is None else printable(shown_path(place.map.absolute()))
        result(f"{photo}\t{written}\t" + ",".join(f"{name}={share:.4f}" for name, share in rows))
        return
    from rich.text import Text

    from usearch.render.tables import percent, share_table

    if alone:
        terminal().print(share_table(photo, rows))
        return
    line = Text.assemble((photo, "bold"), "  ")
    for name, share in rows[:_SHOWN]:
        line.append(f"{printable(name)} ")
        line.append(f"{percent(share)}  ", "cyan")
    if len(rows) > _SHOWN:
        line.append(f"and {len(rows) - _SHOWN} more", "dim")
    terminal().print(line)


def print_document(
    wanted: Wanted, places: Places, preset: str, reports: list[dict[str, Any]]
) -> None:
    """Print the one object of `--json`."""
    from usearch.render.share_files import list_values, value_names

    files = {"classes": places.names, "coco": wanted.coco, "shares": wanted.shares}
    json_result(
        "segment",
        {key: json_name(path) for key, path in files.items() if path is not None}
        | {
            "preset": preset,
            "list": list_values(wanted.listed),
            "values": value_names(len(wanted.listed)),
            "images": reports,
        },
    )


def say_what_happened(
    wanted: Wanted, reports: list[dict[str, Any]], *, strict: bool, from_store: bool
) -> None:
    """Say on stderr what was skipped, filled and written.

    Raises:
        typer.Exit: No photo could be read, or one could not and `strict` is set.
    """
    done = [report for report in reports if report["status"] == "ok"]
    skipped = len(reports) - len(done)
    filled = [report["filled_share"] for report in done]
    if any(filled):
        note(
            f"no segment covers {sum(filled) / len(filled):.1%} of the pixels: they were named "
            "by the picture there (--no-fill leaves them out)"
        )
    if from_store and wanted.output is not None and wanted.overlay:
        note("overlays show the map alone: with --from-store no photo is opened")
    if skipped:
        note(f"{skipped} of {len(reports)} photos skipped")
    elif not wanted.json:
        _say_where(wanted)
    if skipped and (strict or not done):
        raise typer.Exit(ExitCode.INPUT)


def _say_where(wanted: Wanted) -> None:
    if wanted.output is not None:
        what = "maps, overlays and" if wanted.overlay else "maps and"
        note(f"{what} the names of their values are in {wanted.output}")
    elif wanted.shares is None and wanted.coco is None:
        note("no map was written; -o DIR says where they go")
