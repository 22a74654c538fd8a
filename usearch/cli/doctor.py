"""`usearch doctor`: what is right and wrong with this installation, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from usearch.cli.options import JsonOption
from usearch.cli.output import is_terminal, json_result, note, result, terminal
from usearch.errors import CheckFailed

if TYPE_CHECKING:
    from usearch.health import Finding


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also import torch and run the bundled model: seconds.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 9 when there is a problem.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what is right and wrong with this installation.

    \b
    usearch doctor
    usearch doctor --deep --strict
    usearch doctor --json

    Versions, machine, packages that clash, models and where they are looked for, settings,
    the store here. Changes nothing and opens no connection. Into a pipe, a finding is one
    line: state (ok, note, problem), topic, what was found, what to do.
    """
    findings = list(_findings(deep))
    problems = [finding for finding in findings if finding.state == "problem"]
    if json:
        values = [
            {"topic": f.topic, "state": f.state, "said": f.said, "advice": f.advice}
            for f in findings
        ]
        json_result("doctor", {"problems": len(problems), "findings": values})
    elif is_terminal():
        _print_table(findings)
    else:
        for f in findings:
            result("\t".join((f.state, f.topic, f.said, f.advice)))
    note(_next(findings))
    if problems and strict:
        raise CheckFailed(f"{len(problems)} problems were found")


def _findings(deep: bool) -> Iterator[Finding]:
    from usearch.health import accelerator, install, models, places

    yield from install.check_installation()
    yield from install.check_names()
    yield from accelerator.check_gpu()
    yield from accelerator.check_faiss()
    yield from accelerator.check_torch()
    yield from models.check_bundled_model()
    yield from models.check_weights()
    yield from models.check_trained()
    yield from places.check_settings()
    yield from places.check_cache()
    yield from places.check_store()
    if deep:
        yield from accelerator.check_torch_deep()
        yield _run_bundled_model()


def _run_bundled_model() -> Finding:
    """Cut and embed a picture and a text with the bundled model."""
    import numpy as np

    from indexer.presets import load_indexer
    from usearch.errors import UsearchError
    from usearch.health import Finding
    from usearch.models.presets import load_text_encoder

    picture = np.zeros((96, 128, 3), np.uint8)
    picture[24:72, 32:96] = (200, 30, 30)
    try:
        segmenter, embedder = load_indexer("mini")
        vectors = embedder.embed(picture, segmenter.segment(picture))
        text = load_text_encoder("mini").encode(["a red square"])
    except UsearchError as error:
        return Finding("preset mini", "problem", f"it does not run: {error.message}", error.hint)
    if not (np.isfinite(vectors @ text.T).all() and len(vectors)):
        return Finding("preset mini", "problem", "it runs, but its vectors are not finite")
    return Finding("preset mini", "ok", f"it runs: {len(vectors)} segments of a test picture")


def _next(findings: Sequence[Finding]) -> str:
    """What to do next: problems first, else the next command."""
    problems = [f for f in findings if f.state == "problem"]
    if problems:
        lines = [f"{len(problems)} problem{'s' if len(problems) > 1 else ''}:"]
        for f in problems:
            lines.append(f"  {f.topic}: {f.said}")
            lines += [f"    {f.advice}"] if f.advice else []
        return "\n".join(lines)
    has_store = any(f.topic == "store" and f.state == "ok" for f in findings)
    step = 'usearch query "red car"' if has_store else "usearch index FOLDER"
    return f"no problems; next: {step}"


def _print_table(findings: Sequence[Finding]) -> None:
    from usearch.render.listing import listing

    signs = {"ok": "ok", "note": "note", "problem": "PROBLEM"}
    rows = [
        (signs[f.state], f.topic, f.said + (f" ({f.advice})" if f.advice else "")) for f in findings
    ]
    terminal().print(listing(("", "", "found"), rows))
