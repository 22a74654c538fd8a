"""Presets: which text encoder, templates and score constants belong to a name.

Wherever a preset's name is taken, so is the folder of a model that `usearch train` made.
The image side of a preset is loaded by `indexer.presets`; nothing here imports it, so a
query stays light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from usearch.errors import ModelError, UsageError
from usearch.models.card import ModelCard, read_card
from usearch.models.runs import Run, find_large, find_run, is_run, is_word, read_run, run_of_space
from usearch.text import TextEncoder

MINI_FOLDER = Path(__file__).parent / "mini"
DEFAULT_PRESET = "mini"
TORCH_PRESETS = ("clip", "large")
PRESETS = (DEFAULT_PRESET, *TORCH_PRESETS)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a cosine becomes a score that people can read; docs/scores.md says why so.

    The cut-offs are for a search among `usearch.scores.USUAL_SEGMENTS` segments.

    Attributes:
        logit_scale: Multiplies cosines before the softmax against the background.
        slope: Of the logistic curve from the log odds of a text's share to the score.
        bias: Of the same curve.
        cutoff: Score below which a hit of a text counts as no match.
        background: Names that a text competes with.
        cutoff_growth: How much the logit of the cut-off rises when there are e times as many
            segments to choose from.
        look_slope: Of the logistic curve from the cosine of two segments to the score.
        look_bias: Of the same curve.
        look_cutoff: As `cutoff`, for questions with a segment.
        look_cutoff_growth: As `cutoff_growth`, for questions with a segment.
        calibrated: Whether the constants were fitted on photos with known content. Without
            that a score is the plain share, and no hit is left out for it.
    """

    logit_scale: float
    slope: float
    bias: float
    cutoff: float
    background: tuple[str, ...]
    cutoff_growth: float = 0.0
    look_slope: float = 12.0
    look_bias: float = -9.6
    look_cutoff: float = 0.0
    look_cutoff_growth: float = 0.0
    calibrated: bool = False


@cache
def mini_card() -> ModelCard:
    """Card of the bundled model."""
    return read_card(MINI_FOLDER)


def check_preset(preset: str) -> None:
    """Refuse an unknown preset.

    Raises:
        UsageError: There is no preset of this name.
        ModelError: It is a folder without a trained model.
    """
    run_of(preset)


def run_of(preset: str) -> Run | None:
    """The trained model that a name stands for; None for the name of a preset.

    Raises:
        UsageError: There is no preset, and no trained model, of this name.
        ModelError: It is a folder without a trained model.
    """
    if preset in PRESETS:
        return None
    try:
        return read_run(find_run(preset))
    except ModelError as error:
        if not is_word(preset) or Path(preset).is_dir():
            raise
        raise UsageError(
            f"there is no preset {preset!r}",
            f"the presets are {', '.join(PRESETS)}; a model of `usearch train` is named by its "
            "folder",
        ) from error


def model_named(name: str) -> str:
    """A preset's name as it is; for a trained model its folder, from the root on.

    Raises:
        UsageError: There is no preset, and no trained model, of this name.
        ModelError: It is a folder without a trained model.
    """
    run = run_of(name)
    return name if run is None else str(run.folder)


def model_of_store(preset: str, space_id: str) -> str:
    """The preset or trained model that a store is asked with.

    Args:
        preset: What the store says that made it.
        space_id: Of the store's vectors.

    Returns:
        The preset itself; for a trained model its folder, also where it moved to one that can
        be found (the setting `model`, and among the weights).

    Raises:
        ModelError: The model is not where it was.
    """
    if is_word(preset) or is_run(Path(preset)):
        return preset
    moved = run_of_space(space_id)
    if moved is not None:
        return str(moved.folder)
    raise ModelError(
        f"the store's vectors ({space_id}) are of the trained model {preset}, which is not there",
        "name the folder where it is now with --model, or for good with the setting `model`",
    )


def load_text_encoder(preset: str) -> TextEncoder:
    """The text encoder of a preset, or of a trained model.

    Raises:
        UsageError: There is no preset of this name.
        ModelError: Its files or packages are missing.
    """
    if preset == DEFAULT_PRESET:
        from usearch.text.mini import MiniTextEncoder

        return MiniTextEncoder(mini_card())
    run = read_run(find_large()) if preset == "large" else run_of(preset)
    if run is None:
        return _torch_text_encoder(preset)
    from usearch.text.runs import RunTexts

    return RunTexts(run)


def preset_templates(preset: str) -> str:
    """Name of the template set (see `usearch.text.templates`) that a preset's texts go through."""
    if (run := run_of(preset)) is not None:
        return run.templates
    return mini_card().templates if preset == DEFAULT_PRESET else "vild14"


def preset_calibration(preset: str) -> Calibration:
    """Score constants of a preset.

    Only `mini` is calibrated on photos. The presets for published weights take CLIP's own
    logit scale, trained models theirs, and the plain softmax share.
    """
    run = run_of(preset)
    card = mini_card()
    background = tuple(
        line.strip()
        for line in card.path("background.txt").read_text(encoding="utf-8").splitlines()
        if line.strip()
    )
    if preset == DEFAULT_PRESET:
        return card_calibration(card, background)
    published = 100.0 if preset == "clip" else 30.0
    return Calibration(published if run is None else run.logit_scale, 1.0, 0.0, 0.0, background)


def card_calibration(card: ModelCard, background: tuple[str, ...]) -> Calibration:
    """Score constants of a bundled model: those fitted on photos once its card has them."""
    c = card.calibration
    plain = Calibration(card.logit_scale, c["slope"], c["bias"], c["cutoff"], background)
    if "look_slope" not in c:
        return plain
    return replace(
        plain,
        cutoff_growth=c["cutoff_growth"],
        look_slope=c["look_slope"],
        look_bias=c["look_bias"],
        look_cutoff=c["look_cutoff"],
        look_cutoff_growth=c["look_cutoff_growth"],
        calibrated=True,
    )


def _torch_text_encoder(preset: str) -> TextEncoder:
    """Text encoder of a preset that runs on torch; its code lives beside the image towers."""
    import importlib

    try:
        build = importlib.import_module("indexer.embedders.build")
    except ImportError as error:
        raise ModelError(
            f"the preset {preset!r} needs torch and open_clip ({error.name} is missing)",
            "pip install 'use-segments[torch]'",
        ) from error
    encoder: TextEncoder = build.build_clip_text()
    return encoder
