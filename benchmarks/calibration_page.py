"""The figures of `benchmarks/calibration.py` as Markdown tables and a reliability diagram."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BLUE, GREY = "#2a6fbb", "#9a9a9a"


def page(report: dict[str, Any]) -> str:
    """Markdown of all figures."""
    texts, looks, fitted = report["texts"], report["looks"], report["constants"]
    kinds = (("words", texts), ("segments of pictures", looks))
    lines = [
        "",
        f"Model: {report['model']}. " + "; ".join(sizes_of(kind, one) for kind, one in kinds) + ".",
        "",
        "| constant | words | segments of pictures |",
        "|---|---|---|",
        *(
            f"| `{key}`, `look_{key}` | {fitted[key]} | {fitted['look_' + key]} |"
            for key in ("slope", "bias", "cutoff", "cutoff_growth")
        ),
        "",
        "**Calibration error** of the first ten hits (mean gap between what is said and what is"
        " so, ten bins), on photos that were not fitted on:",
        "",
        "| question | hits | right | before | after |",
        "|---|---|---|---|---|",
        error_row("80 things, in words", texts["calibration"]),
        error_row("91 stuff names, in words (none fitted on)", report["stuff"]["calibration"]),
        error_row("segments of pictures", looks["calibration"]),
        "",
        "**Does a score mean the same in collections of any size?** Mean score and share right of"
        " the first ten hits in words:",
        "",
        "| photos in the collection | mean score | right | calibration error |",
        "|---|---|---|---|",
        *(
            f"| {size} | {percent(mean)} | {percent(right)} | {error:.4f} |"
            for size, (mean, right, error) in texts["calibration"]["by_size"].items()
        ),
        "",
        "**Is there one?** Questions for each name to collections with and without it:",
        "",
        *(line for kind, one in kinds for line in presence_table(kind, one)),
        "**Why the cut-off rises.** The score at which false alarms and misses are equally"
        " frequent, on the photos that were fitted on: "
        + "; ".join(
            f"{kind} "
            + ", ".join(f"{cut:.3f} for {size}" for size, cut in one["even_cutoff_on_fit_half"])
            for kind, one in kinds
        )
        + " photos.",
        "",
        "**Other evidence.** Probability (AUC, in %) that the best segment of a photo with a thing"
        " is above that of a photo without: within a name, over all questions (frequent names count"
        " more), over all with each name counting the same:",
        "",
        "| evidence | within a name | over all | names even |",
        "|---|---|---|---|",
        *(
            f"| {kind} | "
            + " | ".join(f"{100 * one[key]:.1f}" for key in ("within", "all", "even"))
            + " |"
            for kind, one in report["evidence"].items()
        ),
        "",
    ]
    return "\n".join(lines) + "\n"


def sizes_of(kind: str, one: dict[str, Any]) -> str:
    """What was asked of how many photos."""
    photos, segments = one["photos"], one["segments"]
    return (
        f"{kind}: {one['questions']} questions, fitted on {photos['fit']} photos"
        f" ({segments['fit']:,} segments), judged on {photos['report']} others"
        f" ({segments['report']:,})"
    )


def error_row(kind: str, one: dict[str, Any]) -> str:
    """A row of calibration errors."""
    cells = [
        f"{one[key]['error']:.4f} [{one[key]['interval'][0]:.4f}, {one[key]['interval'][1]:.4f}]"
        for key in ("before", "after")
    ]
    return f"| {kind} | {one['hits']:,} | {one['right']:,} | {cells[0]} | {cells[1]} |"


def presence_table(kind: str, one: dict[str, Any]) -> list[str]:
    """The table of one kind of question."""
    lines = [
        f"| {kind}: photos | cut-off | absent: asked | something returned | present: asked |"
        " nothing returned | returned hits that are right | the same where present |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in one["presence"]:
        returned, there = row["right_of_returned"], row["right_of_returned_where_present"]
        lines.append(
            f"| {row['photos']} | {row['cutoff']:.3f}"
            f" | {row['absent']:,} | {share(row['false_alarms'])}"
            f" | {row['present']:,} | {share(row['misses'])}"
            f" | {share(returned)} of {returned[3]:,} | {share(there)} of {there[3]:,} |"
        )
    return [*lines, ""]


def share(values: list[float]) -> str:
    """A share in percent with its interval, where there is one."""
    if len(values) < 3:
        return percent(values[0])
    return f"{100 * values[0]:.1f} % [{100 * values[1]:.1f}, {100 * values[2]:.1f}]"


def percent(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.1f} %"


def draw(report: dict[str, Any], path: Path) -> None:
    """Reliability diagram: what is said against what is so, before and after."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9.6, 4.6), layout="constrained")
    panels = (
        ("Questions in words", report["texts"]),
        ("Questions with a segment", report["looks"]),
    )
    for axis, (title, one) in zip(axes, panels, strict=True):
        axis.plot([1e-4, 1], [1e-4, 1], color="#d0d0d0", linewidth=1, zorder=0)
        for key, label, colour, mark in (
            ("before", "before", GREY, "s"),
            ("after", "the score", BLUE, "o"),
        ):
            bins = one["calibration"][key]["bins"]
            said = [row[0] for row in bins]
            so = [max(row[1], 1e-4) for row in bins]
            low = [max(s - row[2], 0) for s, row in zip(so, bins, strict=True)]
            high = [max(row[3] - s, 0) for s, row in zip(so, bins, strict=True)]
            axis.errorbar(
                said, so, yerr=[low, high], fmt=mark, color=colour, markersize=5,
                capsize=2, linewidth=1,
                label=f"{label}: error {one['calibration'][key]['error']:.4f}",
            )  # fmt: skip
        axis.set(
            xscale="log", yscale="log", xlim=(1e-4, 1.2), ylim=(1e-4, 1.2), title=title,
            xlabel="score of the hits (mean of a bin)", ylabel="share of them that is right",
        )  # fmt: skip
        axis.legend(frameon=False, loc="upper left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_aspect("equal")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
