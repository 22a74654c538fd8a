"""A report as one HTML file that needs nothing but itself.

It shows two dozen photos however many were measured, the worst and the best by their own mean
IoU, and the table of all classes; so its size does not grow with the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources

import numpy as np

from eval.metrics import Doubles, miou_present_of
from eval.page_photos import Pictures, Shown, hex_colour, pictures
from eval.page_tables import class_table, figures
from eval.report import EvalReport
from eval.report_table import facts
from usearch.errors import InputError
from usearch.render.pages import page_html, text

__all__ = ["Shown", "report_page"]

_MAPS = "maps"
_LEGEND = 12
"""Classes in the legend of a photo."""
_BINS = 20


@dataclass(frozen=True, slots=True)
class _Scored:
    """A photo with its place in the sample and its own mean IoU."""

    row: int
    name: str
    score: float


def report_page(
    report: EvalReport, read: Callable[[str], Shown] | None = None, n_photos: int = 12
) -> str:
    """The page of a report.

    Args:
        report: A report.
        read: Gives a photo by its name in the report's sample `maps`; None = no pictures. One
            that raises InputError is named in the place of its picture.
        n_photos: Worst photos shown, and as many of the best.
    """
    scored = photo_scores(report)
    worst, best = _ends(scored, n_photos) if read is not None else ([], [])
    parts = [figures(report)]
    if len(scored) > 1:
        parts.append(_spread(scored))
    if read is not None and scored:
        parts.append(_photos(report, read, worst, "worst"))
        if best:
            parts.append(_photos(report, read, best, "best"))
    if report.classes:
        parts.append(class_table(report))
    parts.append(_how(report))
    title = f"{report.data_set}: {report.system}"
    body = f"""\
<header>
<h1>{text(title)}</h1>
<p class="facts">{text(facts(report))}</p>
{_nav(bool(worst), bool(best), bool(report.classes))}</header>
<main>
{"".join(parts)}</main>
{_footer()}"""
    return page_html(title, _asset("style.css"), body, _asset("script.js"))


def photo_scores(report: EvalReport) -> list[_Scored]:
    """Photos with their own mean IoU over the classes that are labelled in them, worst first.

    A photo without a labelled pixel has none and is left out.
    """
    sample = report.samples.get(_MAPS)
    if sample is None:
        return []
    n = sample.sums.n_columns // 3
    found = []
    for row, name in enumerate(sample.names):
        sums = sample.sums.row(row)
        if sums[n : 2 * n].any():
            found.append(_Scored(row, name, float(miou_present_of(sums))))
    return sorted(found, key=lambda photo: (photo.score, photo.name))


def _ends(scored: list[_Scored], n: int) -> tuple[list[_Scored], list[_Scored]]:
    """The first n and the last n, best first; of few photos each is shown once."""
    low = min(n, (len(scored) + 1) // 2)
    return scored[:low], scored[low:][::-1][:n]


def _nav(worst: bool, best: bool, classes: bool) -> str:
    links = [("worst", "Worst photos", worst), ("best", "Best photos", best)]
    links += [("classes", "Classes", classes), ("how", "How it was measured", True)]
    items = "".join(
        f'<li><a href="#{where}">{said}</a></li>' for where, said, there in links if there
    )
    return f'<nav aria-label="parts of the page"><ul>{items}</ul></nav>\n'


def _spread(scored: list[_Scored]) -> str:
    """How many photos have which mean IoU."""
    values = [photo.score for photo in scored]
    counts, _ = np.histogram(values, _BINS, (0.0, 1.0))
    top = max(1, int(counts.max()))
    bars = []
    for number, count in enumerate(counts.tolist()):
        high = 100 * count / top
        low, up = 100 * number // _BINS, 100 * (number + 1) // _BINS
        bars.append(
            f'<rect x="{number * 30 + 2}" y="{104 - high:.1f}" width="26" '
            f'height="{high:.1f}" rx="2">'
            f"<title>{low} to {up} %: {count:,}</title></rect>"
        )
    marks = "".join(
        f'<text x="{min(598, max(2, 6 * at))}" y="122" text-anchor="{anchor}">{at} %</text>'
        for at, anchor in (
            (0, "start"),
            (25, "middle"),
            (50, "middle"),
            (75, "middle"),
            (100, "end"),
        )
    )
    middle = 100 * float(np.median(values))
    said = f"{len(values):,} photos by their own mean IoU; half of them lie below {middle:.0f} %."
    return (
        '<section aria-labelledby="spread">\n<h2 id="spread">Photos</h2>\n'
        f'<p class="facts">{said}</p>\n'
        f'<svg class="spread" viewBox="0 0 600 128" role="img" aria-label="{said}">'
        f'<line x1="0" y1="104.5" x2="600" y2="104.5"/>{"".join(bars)}{marks}</svg>\n</section>\n'
    )


def _photos(
    report: EvalReport, read: Callable[[str], Shown], photos: list[_Scored], which: str
) -> str:
    tool = ""
    if which == "worst":
        tool = (
            '<p class="tools"><label>Strength of the colours '
            '<input id="mix" type="range" min="0" max="100" value="62"></label></p>\n'
        )
    kind = "bad" if which == "worst" else "good"
    items = "".join(
        f'<li class="shot {kind}">{_shot(report, read, photo)}</li>\n' for photo in photos
    )
    return (
        f'<section aria-labelledby="{which}">\n<h2 id="{which}">{which.capitalize()} photos</h2>\n'
        '<p class="facts">By the mean IoU over the classes that are labelled in the photo.</p>\n'
        f'{tool}<ol class="shots">\n{items}</ol>\n</section>\n'
    )


def _shot(report: EvalReport, read: Callable[[str], Shown], photo: _Scored) -> str:
    """A photo, its labels, its prediction, and what the colours mean."""
    caption = (
        f'<div class="cap"><span class="score">{100 * photo.score:.1f} %</span>'
        f"<h3>{text(photo.name)}</h3></div>"
    )
    try:
        made = pictures(read(photo.name), report.n_classes)
    except InputError as problem:
        return f'{caption}<p class="gone">{text(problem.message)}</p>'
    frames = "".join(
        f'<figure><span class="frame">{_frame(made, f"p{photo.row}", over, title)}</span>'
        f"<figcaption>{said}</figcaption></figure>"
        for said, over, title in (
            ("photo", "", f"{photo.name}: photo"),
            ("labels", made.truth, f"{photo.name}: labels"),
            ("prediction", made.predicted, f"{photo.name}: prediction"),
        )
    )
    sums = report.samples[_MAPS].sums.row(photo.row)
    return f'{caption}<div class="three">{frames}</div>{_legend(report, sums)}'


def _frame(made: Pictures, name: str, over: str, title: str) -> str:
    width, height = made.size
    size = f'width="{width}" height="{height}"'
    photo = (
        f'<use class="under" href="#{name}"/>'
        if over
        else f'<image id="{name}" {size} href="{made.photo}"/>'
    )
    colours = f'<image class="map" {size} href="{over}"/>' if over else ""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(title)}">'
        f"{photo}{colours}</svg>"
    )


def _legend(report: EvalReport, sums: Doubles) -> str:
    """Classes of a photo, the largest first: colour, name, IoU."""
    right, labelled, predicted = np.split(sums, 3)
    size = np.maximum(labelled, predicted)
    rows = [row for row in np.argsort(-size, kind="stable").tolist() if size[row] > 0]
    items = []
    for row in rows[:_LEGEND]:
        name = report.classes[row].name if report.classes else f"class {row}"
        union = labelled[row] + predicted[row] - right[row]
        if not labelled[row]:
            said = "not there"
        elif not predicted[row]:
            said = "not found"
        else:
            said = f"{100 * right[row] / union:.0f} %"
        items.append(
            f'<li><svg viewBox="0 0 8 8" aria-hidden="true"><rect width="8" height="8" rx="2" '
            f'fill="{hex_colour(row)}"/></svg><span class="name">{text(name)}</span>'
            f'<span class="quiet">{said}</span></li>'
        )
    share = 100 * (1.0 - predicted.sum() / labelled.sum())
    if share >= 0.5:
        items.append(f'<li class="quiet">no class: {share:.0f} % of the labelled pixels</li>')
    if len(rows) > _LEGEND:
        items.append(f'<li class="quiet">{len(rows) - _LEGEND} more</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def _how(report: EvalReport) -> str:
    terms = [
        ("data set", report.data_set),
        ("class list", report.list_id),
        ("system", report.system),
    ]
    terms += [
        (key.replace("_", " "), _plain(value))
        for key, value in report.options.items()
        if value not in ("", None)
    ]
    terms += [(f"seconds: {key}", f"{value:,.1f}") for key, value in report.times.items()]
    listed = "".join(f"<dt>{text(key)}</dt><dd>{text(value)}</dd>" for key, value in terms)
    notes = list(_notes(report))
    told = "".join(f"<li>{text(note)}</li>" for note in notes)
    return (
        '<section id="how" aria-labelledby="again">\n<h2 id="again">How it was measured</h2>\n'
        f"<code>{text(report.command)}</code>\n<dl>{listed}</dl>\n"
        + (f'<ul class="notes">{told}</ul>\n' if notes else "")
        + "</section>\n"
    )


def _plain(value: object) -> str:
    """A JSON value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _notes(report: EvalReport) -> Iterator[str]:
    if report.subset:
        yield "Only a part of the set was measured: published figures do not compare."
    for source, note in dict.fromkeys((p.source, p.note) for p in report.published):
        yield f"Published: {source}{f'; {note}' if note else ''}."
    yield from report.notes


def _footer() -> str:
    from usearch import __version__

    return f"<footer><p>Made with usearch {__version__}.</p></footer>\n"


def _asset(name: str) -> str:
    file = resources.files("eval").joinpath("page", name)
    return "\n" + file.read_text(encoding="utf-8").replace("\r\n", "\n")
