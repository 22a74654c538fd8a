"""A run of `usearch eval` on label maps: index, answer, count, and what is printed of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import typer

from usearch.cli.eval_options import MapChoices
from usearch.cli.output import note
from usearch.errors import InputError, UsageError

if TYPE_CHECKING:
    from eval.collection import Collected
    from eval.datasets import MapSet
    from eval.map_runs import Answers, Mix, Second
    from eval.report import EvalReport
    from eval.report_page import Shown
    from eval.system_stores import Base
    from eval.systems import System, TextSide
    from usearch.classify import ClassTexts


@dataclass(slots=True)
class _Run:
    """What all systems of a run share.

    Attributes:
        labelled: The set, with the photos that are measured.
        chosen: What was chosen.
        bases: By segmenter, the store whose segments the next systems share.
        times: Stage -> seconds, of the system that is measured now.
        notes: Sentences about it.
    """

    labelled: MapSet
    chosen: MapChoices
    bases: dict[str, Base] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds what the block takes to a stage."""
        start = time.monotonic()
        yield
        self.times[stage] = round(self.times.get(stage, 0.0) + time.monotonic() - start, 3)


def run_maps(context: typer.Context, labelled: MapSet, chosen: MapChoices) -> None:
    """Measure one or several systems on a set of label maps, and print it.

    Raises:
        UsageError: Options do not go together.
        InputError: The set has no photo, or a file cannot be written.
    """
    from eval.map_reports import error_lines, found_lines
    from eval.systems import parse_systems
    from usearch.cli.eval_collect import limited
    from usearch.cli.eval_output import check_places, show_report
    from usearch.cli.eval_systems import places_of, show_systems
    from usearch.cli.options import new_model
    from usearch.cli.repeat import command_line

    model = new_model(context, chosen.model, chosen.preset)
    systems = parse_systems(chosen.systems, model, chosen.segmenter)
    _check(chosen, len(systems))
    places = places_of(chosen.report, chosen.html, systems)
    for report, page in places:
        check_places(report, page, force=chosen.force)
    if not labelled.photos:
        raise InputError(f"{labelled.name} has no photo with labels")
    labelled, subset = limited(labelled, chosen.limit)
    for line in found_lines(labelled):
        note(line)
    command = command_line(context)
    run = _Run(labelled, chosen)
    found = [_measured(run, system, command, subset=subset) for system in systems]
    if len(found) > 1:
        show_systems(found, places, chosen)
        return
    (one, show), (report, page) = found[0], places[0]
    show_report(one, show, json=chosen.json, report=report, page=page, force=chosen.force)
    for line in error_lines(one):
        note(line)


def _check(chosen: MapChoices, n_systems: int) -> None:
    if chosen.systems and chosen.segmenter:
        raise UsageError("--systems names segmenters itself", "leave --segmenter out")
    if bool(chosen.second) != (chosen.second_weight > 0):
        raise UsageError(
            "--second MODEL and --second-weight W belong together",
            "give both, such as --second clip-crop --second-weight 0.3",
        )
    if chosen.store is None:
        return
    from usearch.opened import is_store

    if n_systems > 1:
        raise UsageError(
            "--store is the store of one system, and --systems names several",
            "leave --store out: stores lie in the cache folder, one a system",
        )
    if chosen.store.is_dir() and any(chosen.store.iterdir()) and not is_store(chosen.store):
        raise UsageError(f"{chosen.store} is no store", "name a store, or a new folder")


def _measured(
    run: _Run, system: System, command: str, *, subset: bool
) -> tuple[EvalReport, Callable[[str], Shown]]:
    """Measure one system."""
    from eval.map_reports import map_report, shower, with_naming_oracle
    from usearch.cli.progress import count_bar

    run.times, run.notes = {}, []
    answers = _answers(run, system)
    oracles = run.chosen.errors and system.segmenter != "given"
    n_photos = len(run.labelled.photos)
    with run.timed("maps"), count_bar("answering", n_photos, "photos") as progress:
        counted = answers.measure(oracle=oracles, progress=progress)
    named = None
    if oracles:
        given = _answers(run, replace(system, segmenter="given"), oracle=True)
        with run.timed("maps of labelled masks"), count_bar("naming", n_photos, "photos") as bar:
            named = given.measure(progress=bar)
    found = map_report(
        run.labelled,
        system.title,
        counted,
        command=command,
        subset=subset,
        times=run.times,
        options=_options(run.chosen, answers),
        notes=run.notes,
    )
    if named is not None:
        found = with_naming_oracle(found, named)
    return found, shower(run.labelled, answers)


def _answers(run: _Run, system: System, *, oracle: bool = False) -> Answers:
    """A system with the set's photos in its store and the set's classes as vectors."""
    from eval.aggregate import MapOptions
    from eval.map_runs import Answers
    from eval.system_stores import Base

    chosen = run.chosen
    what = " of labelled masks" if oracle else ""
    base = run.bases.get(system.segmenter)
    side, collected, texts = _collected(run, system, base, what)
    if system.segmenter != "given":
        run.bases.setdefault(
            system.segmenter, Base(collected.snapshot.path, side.space_id, collected)
        )
    second = None
    if chosen.second:
        second = _second(run, system, Base(collected.snapshot.path, side.space_id, collected), what)
    return Answers(
        run.labelled,
        collected,
        texts,
        MapOptions(chosen.stability, chosen.vote),
        second,
        None if oracle else _mix(run, system, collected, texts),
    )


def _mix(run: _Run, system: System, collected: Collected, texts: ClassTexts) -> Mix | None:
    """The votes of the bank that was chosen; None without one.

    Of several systems those without visual keys, such as crops, go without, and it is said.
    """
    from usearch.cli.eval_collect import bank_for
    from usearch.store.keys import newest_space

    chosen, snapshot = run.chosen, collected.snapshot
    if chosen.bank and chosen.systems and newest_space(snapshot.parts) is None:
        run.notes.append(f"{system.title} has no visual keys: measured without the bank")
        note(run.notes[-1])
        return None
    return bank_for(chosen.bank, chosen.bank_weight, chosen.neighbours, snapshot, texts)


def _second(run: _Run, system: System, base: Base, what: str) -> Second:
    from eval.map_runs import Second
    from eval.systems import parse_systems

    named = parse_systems(f"{system.segmenter}+{run.chosen.second}", system.model, None)[0]
    if named == system:
        raise UsageError(f"--second {run.chosen.second} is the model itself", "name another one")
    _, collected, texts = _collected(run, named, base, f" of the second model{what}")
    return Second(collected, texts, run.chosen.second_weight)


def _collected(
    run: _Run, system: System, base: Base | None, what: str
) -> tuple[TextSide, Collected, ClassTexts]:
    from eval.map_runs import class_texts
    from eval.system_stores import collect_system, default_folder
    from eval.systems import text_side
    from usearch.cli.progress import index_progress
    from usearch.settings import setting

    chosen = run.chosen
    folder = default_folder()
    own_store = chosen.store if base is None and not what else None
    with run.timed(f"texts{what}"):
        side = text_side(system)
        texts = class_texts(
            run.labelled,
            side,
            templates=chosen.templates,
            scale=chosen.scale,
            cache_dir=folder / "texts",
        )
    with run.timed(f"index{what}"), index_progress() as progress:
        place, collected = collect_system(
            run.labelled,
            system,
            side,
            folder,
            store=own_store,
            base=base,
            device=chosen.device,
            workers=setting("workers", chosen.workers),
            progress=progress,
        )
    note(f"{system.title}{what}: {_index_line(collected)}; store {place}")
    _say_failures(run, collected, system)
    if collected.stopped_by is not None:
        note("what is indexed is kept: the same command goes on")
        raise typer.Exit(128 + collected.stopped_by)
    return side, collected, texts


def _index_line(collected: Collected) -> str:
    known = f"{collected.known:,} photos were in the store"
    if not collected.indexed:
        return f"{known}, none was opened"
    new = f"{collected.indexed:,} photos indexed in {collected.seconds:.1f} s"
    return f"{new}, {known}" if collected.known else new


def _say_failures(run: _Run, collected: Collected, system: System) -> None:
    """Photos without segments count as wrong everywhere; given masks may rightly be none."""
    if not collected.failed or collected.stopped_by is not None:
        return
    n = len(collected.failed)
    path, why = next(iter(collected.failed.items()))
    photos = "1 photo has" if n == 1 else f"{n:,} photos have"
    line = f"{photos} no segments and count as wrong, such as {path.name}: {why}"
    if system.segmenter == "given":
        line = f"{photos} no labelled pixel that could be cut, such as {path.name}"
    run.notes.append(line)
    note(line)


def _options(chosen: MapChoices, answers: Answers) -> dict[str, Any]:
    """What shaped the result, as plain JSON values."""
    return {
        "templates": chosen.templates or "the model's own",
        "scale": answers.texts.logit_scale,
        "stability": chosen.stability,
        "vote": chosen.vote,
        "second": chosen.second,
        "second_weight": chosen.second_weight,
        "bank": chosen.bank,
        "bank_weight": chosen.bank_weight if chosen.bank else 0.0,
        "neighbours": chosen.neighbours if chosen.bank else 0,
        "space": answers.collected.snapshot.space.name,
        "space_id": answers.collected.snapshot.space.id,
        "segmenter_settings": dict(answers.collected.snapshot.segmenter_settings),
    }
