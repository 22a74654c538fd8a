"""What a training run does: the paper's recipe (USE, section 4.1) and what goes beyond it.

The defaults are the paper's. Where it is silent or contradicts itself, the choice is named at
the field. Everything beyond the paper is off by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from usearch.errors import ModelError, UsageError


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a run; written beside its checkpoints in full.

    Attributes:
        preset: Name of the preset that these settings began as.
        crop: Side of the square training crops in pixels; 336 in the paper's ablations.
        scale: Range of the factor by which a photo is resized before it is cropped.
        batch: Photos a step, over all processes.
        epochs: Passes over the photos.
        steps: Optimiser steps; 0 lets `epochs` decide.
        templates: Template set of the texts (`usearch.text.templates`); the unit vectors of the
            sentences are averaged, which the paper leaves open.
        logit_scale: Multiplier of the cosine in the softmax. The paper's "temperature 30" can
            only be one: as a divisor of cosines nothing would be learned.
        learning_rate: Of AdamW, at the first step.
        weight_decay: Of AdamW, on all parameters.
        power: Exponent of the polynomial decay to 0.
        min_pixels: A segment with fewer pixels left in the crop is left out; the paper is silent.
        min_kept: So is one of which a smaller share is left; the paper is silent.
        max_segments: Most segments of a photo in one step, so that none rules the batch; the
            others are left out at random. The paper is silent.
        class_names: Only masks that people drew of things and stuff, each with its plain name:
            what the second model of the paper's benchmark rows is trained on.
        seed: Source of all randomness.
        mask_equal: Beyond the paper: segments that a text is true of are no negatives of it.
        learn_scale: Beyond the paper: the logit scale is learned, from `logit_scale`, up to 100.
        hard_negatives: Beyond the paper: for each segment so many texts from elsewhere that are
            near its own are added to the negatives.
        rarity: Beyond the paper: a text is drawn with a probability in proportion to its count
            in the data to the power of -`rarity`; 0 draws evenly.
    """

    preset: str = "large"
    crop: int = 560
    scale: tuple[float, float] = (0.5, 2.0)
    batch: int = 32
    epochs: float = 5.0
    steps: int = 0
    templates: str = "use4"
    logit_scale: float = 30.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    power: float = 0.9
    min_pixels: int = 32
    min_kept: float = 0.5
    max_segments: int = 32
    class_names: bool = False
    seed: int = 0
    mask_equal: bool = False
    learn_scale: bool = False
    hard_negatives: int = 0
    rarity: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        checks = {
            f"crop {self.crop}": self.crop >= 1,
            f"scale {low} to {high}": 0 < low <= high,
            f"batch {self.batch}": self.batch >= 1,
            f"epochs {self.epochs:g}": self.epochs > 0,
            f"steps {self.steps}": self.steps >= 0,
            f"logit scale {self.logit_scale:g}": 0 < self.logit_scale <= MAX_LOGIT_SCALE,
            f"learning rate {self.learning_rate:g}": self.learning_rate > 0,
            f"weight decay {self.weight_decay:g}": self.weight_decay >= 0,
            f"power {self.power:g}": self.power >= 0,
            f"min_pixels {self.min_pixels}": self.min_pixels >= 1,
            f"min_kept {self.min_kept:g}": 0 <= self.min_kept <= 1,
            f"max_segments {self.max_segments}": self.max_segments >= 1,
            f"hard negatives {self.hard_negatives}": self.hard_negatives >= 0,
            f"rarity {self.rarity:g}": 0 <= self.rarity <= 2,
        }
        for what, good in checks.items():
            if not good:
                raise UsageError(f"a recipe with {what}", "`usearch train --help` has the ranges")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, defaults included."""
        return {**asdict(self), "scale": list(self.scale)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Recipe:
        """The recipe written by `to_json`; fields that it lacks have their defaults.

        Raises:
            ModelError: A field that this version does not know.
        """
        known = {f.name for f in fields(Recipe)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ModelError(
                f"the run's recipe has {unknown[0]!r}, which this version does not know",
                "upgrade use-segments",
            )
        scale = values.get("scale", (0.5, 2.0))
        return Recipe(**{**values, "scale": (float(scale[0]), float(scale[1]))})


MAX_LOGIT_SCALE = 100.0
"""Where CLIP stops its learned scale, too."""

PRESETS: dict[str, Recipe] = {
    "large": Recipe(),
    "large-336": Recipe(preset="large-336", crop=336),
    "large-gt": Recipe(preset="large-gt", class_names=True, templates="vild14", mask_equal=True),
}
"""`large` is the paper's main model, `large-336` that of its ablations (tables 4 and 5).

`large-gt` is the second model of its benchmark rows, of which it says no more than what it is
trained on: labelled masks with class names. Names are nouns and go through sentences for nouns; a
batch holds many segments of one name, so these are no negatives of each other.
"""


def recipe_of(preset: str) -> Recipe:
    """The recipe of a preset.

    Raises:
        UsageError: No preset has this name.
    """
    try:
        return PRESETS[preset]
    except KeyError:
        known = ", ".join(PRESETS)
        raise UsageError(
            f"there is no training preset {preset!r}", f"known presets: {known}"
        ) from None


def learning_rate_at(step: int, total: int, recipe: Recipe) -> float:
    """Polynomial decay: the rate of `recipe` at step 0, 0 at step `total`."""
    left = max(0.0, 1.0 - step / max(1, total))
    return float(recipe.learning_rate * left**recipe.power)
