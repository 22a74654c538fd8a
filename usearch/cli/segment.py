"""`usearch segment`: a class for every pixel of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.class_options import (
    DEFAULT_BANK_WEIGHT,
    DEFAULT_NEIGHBOURS,
    BackgroundOption,
    BankOption,
    BankWeightOption,
    ClassesOption,
    ClassOption,
    ForceOption,
    NeighboursOption,
    PartsOption,
    UnknownOption,
    WhereOption,
    asked_bank,
    asked_classes,
    check_threshold,
    contrast_classes,
)
from usearch.cli.options import (
    DeviceOption,
    JsonOption,
    ModelOption,
    PresetOption,
    StoreOption,
    asked_model,
    chosen_store,
    new_model,
)
from usearch.cli.second_model import (
    DEFAULT_SECOND_WEIGHT,
    SecondOption,
    SecondWeightOption,
    asked_second,
    second_for_photos,
    second_for_store,
)
from usearch.errors import InputError, UsageError

if TYPE_CHECKING:
    from usearch.classify import Bank, Rule, Second, SecondModel, StoredPhoto
    from usearch.cli.class_sources import ClassedPhoto, Memory, SkippedPhoto
    from usearch.opened import OpenStore
    from usearch.text.class_lists import ClassList

_SMALLEST_SIDE = 32


def segment(
    context: typer.Context,
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMG", help="Photos, or folders with photos."),
    ] = None,
    classes: ClassesOption = None,
    names: ClassOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Where the maps go.", show_default=False
        ),
    ] = None,
    background: BackgroundOption = None,
    unknown: UnknownOption = 0.0,
    fill: Annotated[
        bool,
        typer.Option("--fill/--no-fill", help="Whether pixels that no segment covers get a class."),
    ] = True,
    parts: PartsOption = True,
    coco: Annotated[
        Path | None,
        typer.Option(
            "--coco",
            metavar="FILE",
            help="Also write each segment with class and score, as COCO json.",
            show_default=False,
        ),
    ] = None,
    shares: Annotated[
        Path | None,
        typer.Option(
            "--shares",
            metavar="FILE",
            help="Also write the share of each class: .csv, .json or .parquet.",
            show_default=False,
        ),
    ] = None,
    overlay: Annotated[
        bool,
        typer.Option("--overlay/--no-overlay", help="Also write the map over the photo."),
    ] = True,
    from_store: Annotated[
        bool,
        typer.Option("--from-store", help="Answer from the store; no photo is opened."),
    ] = False,
    store: StoreOption = None,
    where: WhereOption = None,
    preset: PresetOption = "mini",
    model: ModelOption = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            "--segmenter",
            metavar="tree|sam|given",
            help="What cuts the photos. Without it: the preset's own.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            "--masks",
            metavar="COCO.json",
            help="Masks that you have, for --segmenter given.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    max_side: Annotated[
        int,
        typer.Option(
            "--max-side", metavar="PX", help="Longest side at which photos are cut into segments."
        ),
    ] = 1024,
    second: SecondOption = None,
    second_weight: SecondWeightOption = DEFAULT_SECOND_WEIGHT,
    bank: BankOption = None,
    bank_weight: BankWeightOption = DEFAULT_BANK_WEIGHT,
    neighbours: NeighboursOption = DEFAULT_NEIGHBOURS,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="With --bank: name the neighbours that voted on the largest segments."
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when any photo was skipped.")
    ] = False,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Give every pixel of photos a class from a list.

    \b
    usearch segment street.jpg --classes street.txt -o maps
    usearch segment a.jpg --class sky --class "tree, bush" --background building -o maps
    usearch segment photos/ --classes names.txt --shares shares.csv --coco classes.json
    usearch segment --from-store --classes other.txt -o maps
    usearch segment a.jpg --classes names.txt --bank photos/.usearch --explain
    usearch segment a.jpg --classes names.txt --model runs/use --second runs/named

    Writes <stem>.png, an indexed PNG of the photo's size whose value is the class: its place
    in the list from 0. 255 is no class, 254 unknown, 253 background; lists of more than 253
    classes give 16-bit PNGs with 65535, 65534 and 65533. classes.txt beside it names the
    values, <stem>-overlay.png shows it. Photos of one name get maps called <stem>-2.png and
    so on; photos are never written over. Without -o there are no maps.

    Prints the share of each class. With --from-store, photos that are stored (all, or those
    named) are answered from their segments and vectors: a new list opens no photo.

    Photos that cannot be read are skipped with the reason; exit code 3 when none could be
    read. docs/segment.md describes lists, rule and files.
    """
    from usearch.classify import Rule
    from usearch.cli.segment_output import (
        Wanted,
        prepare,
        print_document,
        say_what_happened,
        write_all,
    )
    from usearch.opened import OpenStore
    from usearch.store import open_snapshot

    listed = asked_classes(classes, names)
    contrast = contrast_classes(background, listed)
    check_threshold(unknown)
    _check(images, from_store, where, max_side, segmenter, masks)
    named = images or []
    if not from_store and output is not None:
        _refuse_photo_folder(named, output)
    rule = Rule(unknown=unknown, parts=parts)
    if explain and bank is None:
        raise UsageError("--explain names the voters of a bank", "add --bank STORE")
    memory = _memory(asked_bank(bank, bank_weight, neighbours), explain)
    other = asked_second(second, second_weight)
    wanted = Wanted(listed, output, overlay, shares, coco, force, json)
    keep = [path for path in (classes, masks) if path is not None]
    found: Iterable[ClassedPhoto | SkippedPhoto]
    if from_store:
        opened = OpenStore(open_snapshot(chosen_store(store)), asked_model(model))
        also = second_for_store(other, second_weight, device, opened, listed, contrast)
        used = opened.snapshot.preset
        photos, found = _from_store(opened, named, where, listed, contrast, rule, memory, also)
        places = prepare(wanted, photos, keep)
    else:
        used = new_model(context, model, preset)
        photos = _discovered(named, output)
        places = prepare(wanted, photos, keep)
        along = second_for_photos(other, second_weight, device, listed, contrast)
        found = _cut(photos, used, segmenter, device, masks, listed, contrast, rule, max_side,
                     fill, memory, along)  # fmt: skip
    reports = write_all(wanted, places, found, len(photos))
    if json:
        print_document(wanted, places, used, reports)
    say_what_happened(wanted, reports, strict=strict, from_store=from_store)


def _memory(bank: Bank | None, explain: bool) -> Memory | None:
    from usearch.cli.class_sources import Memory

    return None if bank is None else Memory(bank, explain)


def _check(
    images: list[Path] | None,
    from_store: bool,
    where: str | None,
    max_side: int,
    segmenter: str | None,
    masks: Path | None,
) -> None:
    if not from_store and not images:
        raise UsageError("no photo is named", "name photos, or ask a store with --from-store")
    if not from_store and where is not None:
        raise UsageError("--where chooses stored segments", "add --from-store")
    if from_store and (segmenter is not None or masks is not None):
        raise UsageError(
            "stored photos are cut already", "leave --segmenter and --masks out, or --from-store"
        )
    if max_side < _SMALLEST_SIDE:
        raise UsageError(f"--max-side {max_side}: at least {_SMALLEST_SIDE} pixels are needed")


def _refuse_photo_folder(images: list[Path], output: Path) -> None:
    if any(image.is_dir() and image.resolve() == output.resolve() for image in images):
        raise UsageError(
            f"{output} holds the photos; maps there would be taken for photos next time",
            "name another folder with -o",
        )


def _discovered(images: list[Path], output: Path | None) -> list[Path]:
    from indexer.photos import discover

    leave_out = [] if output is None else [output]
    photos = [Path(found.full_path) for found in discover(images, leave_out=leave_out)]
    if not photos:
        raise InputError("no photo was found", "name photos, or folders with photos")
    return photos


def _cut(
    photos: list[Path],
    preset: str,
    segmenter: str | None,
    device: str,
    masks: Path | None,
    listed: ClassList,
    contrast: ClassList | None,
    rule: Rule,
    max_side: int,
    fill: bool,
    memory: Memory | None,
    second: SecondModel | None,
) -> Iterator[ClassedPhoto | SkippedPhoto]:
    from usearch.cli.class_sources import check_bank, load_models, new_photos
    from usearch.settings import setting

    segmenter = segmenter if masks is not None else setting("segmenter", segmenter)
    models = load_models(preset, segmenter, device, masks, listed, contrast)
    if memory is not None:
        check_bank(memory.bank, models.embedder, preset)
    return new_photos(photos, models, rule, max_side, fill=fill, memory=memory, second=second)


def _from_store(
    opened: OpenStore,
    named: list[Path],
    where: str | None,
    listed: ClassList,
    contrast: ClassList | None,
    rule: Rule,
    memory: Memory | None,
    second: Callable[[StoredPhoto], Second] | None,
) -> tuple[list[Path], Iterator[ClassedPhoto]]:
    """The store's photos that are meant, and their classes."""
    from usearch.cli.class_sources import (
        check_stored_bank,
        stored_choice,
        stored_photos,
        stored_texts,
    )

    rows = None if where is None else opened.rows_where(where)
    chosen = stored_choice(opened, named, rows)
    if not chosen:
        raise InputError(
            f"the store {opened.snapshot.path} holds no such photo", "index photos first"
        )
    if memory is not None:
        check_stored_bank(memory.bank, opened)
    texts = stored_texts(opened, listed, contrast)
    found = stored_photos(opened, chosen, texts, rule, rows, memory, second)
    return list(chosen.values()), found
