"""Tables of a report's page: figures, class maps side by side, every class."""

from __future__ import annotations

from eval.measures import measure_of, section_title
from eval.report import EvalReport
from eval.report_table import (
    SIDE_BY_SIDE,
    long_sections,
    map_sections,
    missed_text,
    published_text,
    shown_interval,
    shown_value,
)
from usearch.render.pages import text


def figures(report: EvalReport) -> str:
    """Every metric with its interval and what is published, as HTML."""
    told: dict[str, list[str]] = {}
    for published in report.published:
        told.setdefault(published.key, []).append(published_text(published))
    rows = []
    for section, keys in long_sections(report).items():
        if section:
            title = text(section_title(section))
            rows.append(f'<tr class="part"><th colspan="5" scope="colgroup">{title}</th></tr>')
        for key in keys:
            lead = " lead" if key == "miou_present" else ""
            rows.append(
                f'<tr><th scope="row">{text(measure_of(key).label)}</th>'
                f'<td class="n{lead}">{shown_value(key, report.metrics[key])}</td>'
                f'<td class="n quiet">{shown_interval(report, key)}</td>'
                f"<td>{'<br>'.join(map(text, told.get(key, ())))}</td>"
                f'<td class="key">{text(key)}</td></tr>'
            )
    return (
        '<section aria-labelledby="figures">\n<h2 id="figures">Figures</h2>\n'
        '<p class="facts">In %, with 95 % bootstrap intervals over photos.</p>\n'
        '<div class="wide" role="region" aria-label="figures" tabindex="0"><table><thead><tr>'
        '<th scope="col"></th><th class="n" scope="col">%</th>'
        '<th class="n" scope="col">95 % interval</th><th scope="col">published</th>'
        '<th class="key" scope="col">key</th></tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n{_side_by_side(report)}</section>\n"
    )


def _side_by_side(report: EvalReport) -> str:
    sections = map_sections(report)
    if len(sections) < 2:
        return ""
    heads = "".join(f'<th class="n" scope="col">{head}</th>' for head in SIDE_BY_SIDE.values())
    rows = []
    for section in sections:
        cells = []
        for last in SIDE_BY_SIDE:
            key = f"{section}.{last}" if section else last
            value = shown_value(key, report.metrics.get(key))
            ends = shown_interval(report, key) if last == "miou_present" else ""
            cells.append(f'<td class="n">{value} <span class="quiet">{ends}</span></td>')
        title = text(section_title(section) if section else "this run")
        rows.append(f'<tr><th scope="row">{title}</th>{"".join(cells)}</tr>')
    return (
        '<h2 class="next">Class maps side by side</h2>\n'
        '<div class="wide" role="region" aria-label="class maps side by side" tabindex="0">'
        f'<table><thead><tr><th scope="col"></th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def class_table(report: EvalReport) -> str:
    """Every class with its IoU and shares, as HTML: to be sorted and searched by the script."""
    total = max(1, sum(row.labelled for row in report.classes))
    heads = (
        ("class", "", ""),
        ("IoU", "n", ""),
        ("", "", "rare"),
        ("of the labels", "n", ""),
        ("of the prediction", "n rare", ""),
        ("most taken for", "", "rare"),
    )
    head = "".join(
        f'<th scope="col" class="{kind} {more}">'
        + (f'<button class="sort" type="button">{said}</button>' if said else "")
        + "</th>"
        for said, kind, more in heads
    )
    rows = "".join(_class_cells(report, number, total) for number in range(len(report.classes)))
    present = sum(row.labelled > 0 for row in report.classes)
    return (
        '<section id="classes" aria-labelledby="every">\n<h2 id="every">Classes</h2>\n'
        f'<p class="facts">{present:,} of {len(report.classes):,} classes occur in the labels; '
        "shares are of the labelled pixels.</p>\n"
        '<p class="tools"><label>Find <input id="find" type="search"></label> '
        '<span id="count" role="status"></span></p>\n'
        '<div class="wide" role="region" aria-label="classes" tabindex="0"><table id="table">'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n</section>\n"
    )


def _class_cells(report: EvalReport, number: int, total: int) -> str:
    row = report.classes[number]
    iou = "" if row.iou is None else f"{row.iou:.6f}"
    shown = shown_value("iou", row.iou)
    bar = (
        ""
        if row.iou is None
        else (
            '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="rest" width="100" height="10"/>'
            f'<rect width="{100 * row.iou:.1f}" height="10"/></svg>'
        )
    )
    return (
        f'<tr><th scope="row">{text(row.name)}</th><td class="n" data-v="{iou}">{shown}</td>'
        f'<td class="rare">{bar}</td>{_share(row.labelled, total)}'
        f"{_share(row.predicted, total, ' rare')}"
        f'<td class="rare">{text(missed_text(row))}</td></tr>\n'
    )


def _share(pixels: int, total: int, more: str = "") -> str:
    share = 100 * pixels / total
    said = "" if not pixels else f"{share:.2f} %" if share >= 0.01 else "&lt; 0.01 %"
    return f'<td class="n{more}" data-v="{pixels}">{said}</td>'
