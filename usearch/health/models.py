"""The models: whether the bundled one is whole, and which of the others are here."""

from __future__ import annotations

from collections.abc import Iterator

from usearch.errors import ModelError, UsageError
from usearch.health.finding import Finding


def check_bundled_model() -> Iterator[Finding]:
    """The bundled model against its card, by checksum."""
    from usearch.models.card import read_card
    from usearch.models.registry import MINI_FOLDER

    try:
        card = read_card(MINI_FOLDER)
        size = sum(card.path(name).stat().st_size for name in card.files)
    except ModelError as error:
        yield Finding("preset mini", "problem", error.message, error.hint)
        return
    said = f"{card.name}, {size / 1e6:.0f} MB, {len(card.files)} files, checksums verified"
    yield Finding(
        "preset mini", "ok", f"bundled: {said}; `usearch models info mini` says what it knows"
    )


def check_trained() -> Iterator[Finding]:
    """Models of `usearch train`: the one that the setting names, and those among the weights."""
    from usearch.models.runs import absent_backbones, known_runs, read_run
    from usearch.settings import setting

    try:
        named = setting("model")
        if named is not None:
            read_run(named)
        runs = list(known_runs())
    except UsageError:
        return  # a setting is wrong, which is said with the settings
    except ModelError as error:
        yield Finding("setting model", "problem", error.message, error.hint)
        return
    for run in runs:
        form = "" if run.onnx is None else ", in ONNX too" if run.head else ", in ONNX"
        said = f"{run.folder}: space {run.space.id}{form}"
        absent = absent_backbones(run)
        if absent:
            advice = "copy them into a folder that `usearch models path` names"
            yield Finding(
                f"model {run.folder.name}", "note", f"{said}; not here: {', '.join(absent)}", advice
            )
        else:
            yield Finding(f"model {run.folder.name}", "ok", said)


def check_weights() -> Iterator[Finding]:
    """The published weights: which presets could run. Nothing is hashed."""
    from usearch.models.files import weight_dirs
    from usearch.models.registry import known_models, needed_by

    try:
        models = {model.key: model for model in known_models()}
        needs = {name: needed_by(name) for name in ("clip", "sam", "large")}
        places = ", ".join(str(folder) for folder in weight_dirs())
    except UsageError:
        return  # a setting is wrong, which is said with the settings
    yield Finding("weights", "ok", f"looked for in {places}")
    yield Finding("network", "ok", "never used, but by `usearch models pull`")
    for name, keys in needs.items():
        wanted = [models[key] for key in (*keys, *(["use-large"] if name == "large" else []))]
        what = "segmenter sam" if name == "sam" else f"preset {name}"
        broken = [model for model in wanted if model.here and not model.complete]
        absent = [model for model in wanted if not model.here]
        for model in broken:
            yield Finding(
                what,
                "problem",
                f"{model.path} has not the published size",
                f"delete it, then usearch models pull {model.key}",
            )
        if absent:
            said = ", ".join(
                f"{model.key} ({model.bytes / 1e6:,.0f} MB)" if model.bytes else model.key
                for model in absent
            )
            to_pull = " ".join(model.key for model in absent if model.key != "use-large")
            advice = f"usearch models pull {to_pull}" if to_pull else "usearch train makes one"
            yield Finding(what, "note", f"not here: {said}", advice)
        elif not broken:
            yield Finding(what, "ok", f"here: {', '.join(str(model.path) for model in wanted)}")
