"""The curve of a run as a picture: loss of every step, and figures on held-out photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SMOOTHED_OVER = 50
"""Steps, about: the bold line is a moving mean over so many, or over a tenth of the run."""


def draw_curve(lines: Sequence[Mapping[str, Any]], file: Path, title: str) -> None:
    """Draw the lines of `metrics.jsonl` as a PNG; a run without a step gives none.

    Args:
        lines: Of steps, with "step" and "loss", and of looks at held-out photos, with "step" and
            "held".
        file: The PNG.
        title: Its headline, as plain text.
    """
    steps = [line for line in lines if "loss" in line]
    looks = [line for line in lines if "held" in line]
    if not steps:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6 if looks else 3.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if looks else 1, 1, sharex=True, squeeze=False)[:, 0]
    x = np.array([line["step"] for line in steps])
    y = np.array([line["loss"] for line in steps], float)
    axes[0].plot(x, y, color="#9ab", linewidth=0.7, label="loss of a step")
    width = min(SMOOTHED_OVER, max(1, len(y) // 10))
    if width > 1:
        smooth = np.convolve(y, np.ones(width) / width, mode="valid")
        axes[0].plot(x[width - 1 :], smooth, color="#135", label=f"mean of {width} steps")
    axes[0].set_ylabel("loss")
    if looks:
        at = [line["step"] for line in looks]
        held = [line["held"] for line in looks]
        axes[0].plot(at, [h["loss"] for h in held], "o-", color="#c42", ms=3, label="held out")
        for key, colour in (("recall@1", "#48a"), ("recall@10", "#135"), ("naming", "#284")):
            axes[1].plot(at, [h[key] for h in held], "o-", color=colour, ms=3, label=key)
        axes[1].set_ylim(0, 1)
        axes[1].set_ylabel(f"held out, {held[-1]['segments']:,.0f} segments")
    for one in axes:
        one.grid(color="#ddd", linewidth=0.6)
        one.legend(frameon=False, fontsize=8)
        one.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("step")
    figure.suptitle(title.replace("$", r"\$"), fontsize=10)
    partial = file.with_name(f"{file.name}.partial")
    figure.savefig(partial, format="png")
    partial.replace(file)
