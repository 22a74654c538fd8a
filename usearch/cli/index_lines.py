"""What `usearch index` says at its end: lines for people, one object for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usearch.cli.progress import duration
from usearch.render.safe_text import json_name, printable

if TYPE_CHECKING:
    from indexer.reports import Forecast, IndexReport, SkippedPhoto

LISTED = 10
"""Skipped photos that are listed without being asked for all."""


def run_lines(report: IndexReport, *, all_skipped: bool) -> list[str]:
    """The lines at the end of a run."""
    lines = []
    if report.stopped_by is not None:
        lines.append(
            f"stopped: what is indexed is kept, {report.left:,} photos are left; "
            "run the same command again to go on"
        )
    rate = report.indexed / max(report.seconds, 1e-9)
    lines.append(
        f"{report.indexed:,} photos indexed, {report.segments:,} segments, "
        f"{duration(report.seconds)}" + (f", {rate:.1f} photos/s" if report.indexed else "")
    )
    counts = {
        "unchanged": report.unchanged - sum(report.failed_before.values()),
        "changed": report.changed,
        "moved": report.moved,
        "same content, new time": report.touched,
        "removed from the store": report.removed,
        "left for another run (--limit)": report.postponed,
        "gone, still in the store (--prune removes them)": report.gone,
        "segments rejected, their vectors were not finite": report.rejected,
        "links left out (--follow-links)": report.survey.links_left_out,
    }
    lines += [f"  {count:,} {what}" for what, count in counts.items() if count]
    lines += _passed_over(report)
    return lines + skipped_lines("skipped", report.skipped, all_skipped=all_skipped)


def plan_lines(report: IndexReport, *, all_skipped: bool) -> list[str]:
    """The lines of a dry run: what there is to do, what it makes and how long it takes."""
    survey = report.survey
    endings = ", ".join(
        f"{count:,} {ending or 'without ending'}" for ending, count in report.endings.most_common(6)
    )
    counts = {
        "new": report.new,
        "changed, or tried again": report.to_do - report.new,
        "unchanged": report.unchanged - sum(report.failed_before.values()),
        "moved, recognised by their content": report.moved,
        "gone, still in the store (--prune removes them)": report.gone,
        "left for another run (--limit)": report.postponed,
        "links left out (--follow-links)": survey.links_left_out,
        "hidden files and folders left out": survey.hidden,
    }
    lines = [f"{report.found:,} photos found" + (f": {endings}" if endings else "")]
    lines += [f"  {count:,} {what}" for what, count in counts.items() if count]
    others = sum(survey.other_suffixes.values())
    if others:
        most = ", ".join(
            f"{count:,} {ending or 'without ending'}"
            for ending, count in survey.other_suffixes.most_common(5)
        )
        files = "other file" if others == 1 else "other files"
        lines.append(f"  {others:,} {files} left out by their names: {most}")
    lines += _passed_over(report)
    forecast = report.forecast
    if forecast is not None:
        lines += skipped_lines("cannot be indexed", forecast.unusable, all_skipped=all_skipped)
        lines += _forecast_lines(forecast)
    else:
        lines.append(f"{report.to_do:,} photos to index of {report.found:,} found")
    return [*lines, "nothing was written"]


def _forecast_lines(forecast: Forecast) -> list[str]:
    usable = forecast.of - round(forecast.of * len(forecast.unusable) / max(forecast.looked_at, 1))
    about = "" if forecast.looked_at == forecast.of else "about "
    lines = []
    if about:
        lines.append(
            f"  headers of {forecast.looked_at:,} of {forecast.of:,} photos were looked at"
        )
    if not forecast.timed:
        return [*lines, f"{about}{usable:,} photos to index"]
    failed = f", {forecast.failed} of them could not be decoded" if forecast.failed else ""
    processes = "1 process" if forecast.workers == 1 else f"{forecast.workers} processes"
    return [
        *lines,
        f"{about}{usable:,} photos to index: about {forecast.segments:,} segments, "
        f"{forecast.bytes / 1e6:,.0f} MB, {duration(forecast.seconds)} with {processes} "
        f"({forecast.timed} photos were timed{failed})",
    ]


def _passed_over(report: IndexReport) -> list[str]:
    lines = []
    before = sum(report.failed_before.values())
    if before:
        reasons = _reasons(report.failed_before)
        lines.append(f"  {before:,} skipped before and not tried again (--retry): {reasons}")
    for path, why in report.survey.unreadable.items():
        lines.append(f"  not listed: {printable(path)}: {why}")
    return lines


def skipped_lines(said: str, skipped: Sequence[SkippedPhoto], *, all_skipped: bool) -> list[str]:
    """How many photos were skipped for which reasons, and the first or all of them."""
    if not skipped:
        return []
    lines = [f"{len(skipped):,} {said}: {_reasons(Counter(photo.reason for photo in skipped))}"]
    shown = skipped if all_skipped else skipped[:LISTED]
    lines += [f"  {printable(p.path)}: {p.reason}: {printable(p.detail)}" for p in shown]
    if len(shown) < len(skipped):
        lines.append(f"  and {len(skipped) - len(shown):,} more (--skipped)")
    return lines


def _reasons(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def index_document(
    report: IndexReport, folder: Path, preset: str, *, dry_run: bool
) -> dict[str, Any]:
    """The values of `--json`."""
    return {
        "store": json_name(folder.absolute()),
        "preset": preset,
        "dry_run": dry_run,
        "found": report.found,
        "endings": dict(report.endings),
        "to_do": report.to_do,
        "new": report.new,
        "left": report.left,
        "indexed": report.indexed,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "touched": report.touched,
        "moved": report.moved,
        "removed": report.removed,
        "gone": report.gone,
        "postponed": report.postponed,
        "segments": report.segments,
        "rejected_segments": report.rejected,
        "skipped": [_skipped(photo) for photo in report.skipped],
        "skipped_before": dict(report.failed_before),
        "other_files": dict(report.survey.other_suffixes),
        "hidden": report.survey.hidden,
        "unreadable_folders": {json_name(p): why for p, why in report.survey.unreadable.items()},
        "links_left_out": report.survey.links_left_out,
        "forecast": _forecast(report.forecast),
        "seconds": round(report.seconds, 3),
        "worker_seconds": {k: round(v, 3) for k, v in report.stage_seconds.items()},
        "stopped": report.stopped_by is not None,
    }


def _forecast(forecast: Forecast | None) -> dict[str, Any] | None:
    if forecast is None:
        return None
    return {
        "of": forecast.of,
        "looked_at": forecast.looked_at,
        "unusable": [_skipped(photo) for photo in forecast.unusable],
        "timed": forecast.timed,
        "failed": forecast.failed,
        "workers": forecast.workers,
        "segments": forecast.segments,
        "bytes": forecast.bytes,
        "seconds": round(forecast.seconds, 3),
    }


def _skipped(photo: SkippedPhoto) -> dict[str, str]:
    return {"path": json_name(photo.path), "reason": photo.reason, "detail": photo.detail}
