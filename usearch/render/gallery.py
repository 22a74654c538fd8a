"""Answers as one HTML file: pictures of the hits, outlined, that needs nothing but itself.

The page loads nothing (`usearch.render.pages`): photos are embedded, each once however many
hits it has, and hits are views of them (SVG `use` with a view box).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from usearch.render.pages import page_html
from usearch.render.pages import text as _text

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit, ReadPhoto
    from usearch.render.gallery_pictures import Embedded

BUDGET = 12_000_000
"""Characters of all embedded photos together: 100 hits make a page of less than 15 MB."""

_WIDEST, _NARROWEST = 1.7, 0.75
"""Width over height of the views of hits."""


def gallery_html(
    answers: Sequence[Answer],
    *,
    title: str,
    read_photo: ReadPhoto,
    links: bool = False,
    skipped: Callable[[str], None] | None = None,
    budget: int = BUDGET,
) -> str:
    """One self-contained page that shows answers.

    Args:
        answers: One section each.
        title: Heading and name of the page, such as the question.
        read_photo: Gives pixels, see `usearch.stored_photos.photo_reader`. Photos that cannot
            be read any more are named in the place of their picture.
        links: Let each hit link to its photo by a `file:` address. It holds the absolute path,
            which a page that is passed on should not tell.
        skipped: Is told in one line of each photo that cannot be shown.
        budget: Characters that embedded photos may take together.
    """
    from usearch.render.gallery_pictures import embedded_photos

    hits = [hit for answer in answers for hit in answer.hits]
    photos = embedded_photos(hits, read_photo, budget)
    if skipped is not None:
        for photo in photos.values():
            if photo.problem:
                skipped(photo.problem)
    ids = {path: f"p{i}" for i, path in enumerate(photos, 1)}
    aspects: set[str] = set()
    sections = []
    for number, answer in enumerate(answers, 1):
        tiles = []
        for place, hit in enumerate(answer.hits, 1):
            tile_id = f"h{number}-{place}"
            tiles.append(_tile(answer, hit, tile_id, photos[hit.image], ids, links, aspects))
        sections.append(_section(answer, number, tiles, alone=len(answers) == 1))
    shown = any(photo.uri for photo in photos.values())
    style = _asset("style.css") + "".join(
        f".a{name}{{--a:{int(name) / 100:g}}}\n" for name in sorted(aspects)
    )
    script = _asset("script.js") if shown else ""
    body = f"""\
<header>
<h1>{_text(title)}</h1>
{_overview(answers)}</header>
<main>
{"".join(sections)}</main>
<footer><p>{_footer(photos)}</p></footer>
{_store_of(photos, ids) + _asset("dialog.html") if shown else ""}"""
    return page_html(title, style, body, script)


def nothing_text(answer: Answer) -> str:
    """The honest sentence for an answer without hits."""
    if answer.segments == 0:
        return "There was nothing to search: no segment is in the store, or none passes the filter."
    searched = f"{answer.segments:,} {_plural('segment', answer.segments)}"
    near = ""
    if answer.best is not None:
        near = (
            f" The best of {searched} in {_photos(answer.photos)} scores "
            f"{answer.best.score:.2f}; what scores below {answer.cutoff:.2f} does not count."
        )
    return f"Nothing here matches “{answer.question}”.{near}"


def _section(answer: Answer, number: int, tiles: Sequence[str], *, alone: bool) -> str:
    heading = f'<h2 id="q{number}">{_text(answer.question)}</h2>\n'
    named = f'aria-labelledby="q{number}"'
    if alone:
        heading, named = "", 'aria-label="hits"'
    if tiles:
        body = f'<ul class="grid" role="list">\n{"".join(tiles)}</ul>\n'
        facts = "" if alone else f'<p class="facts">{_text(_facts(answer))}</p>\n'
    else:
        body, facts = f'<p class="empty">{_text(nothing_text(answer))}</p>\n', ""
    return f'<section id="answer-{number}" {named}>\n{heading}{facts}{body}</section>\n'


def _tile(
    answer: Answer,
    hit: Hit,
    tile_id: str,
    photo: Embedded,
    ids: dict[str, str],
    links: bool,
    aspects: set[str],
) -> str:
    """A hit: its view, its score, its path, and the command for more like it."""
    from usearch.render.hits import view_around
    from usearch.render.outlines import outline_path
    from usearch.scores import strength

    x0, y0, x1, y1 = hit.box
    wanted = (x1 - x0) / max(y1 - y0, 1e-6)
    left, top, right, bottom = view_around(
        (hit.width, hit.height), hit.box, min(_WIDEST, max(_NARROWEST, wanted))
    )
    wide, high = max(1, right - left), max(1, bottom - top)
    shape = min(2.5, max(0.5, wide / high))
    aspect = str(round(100 * shape))
    aspects.add(aspect)
    # Panoramas are shown whole in their tile, and what differs by roundings fills it.
    fit = "slice" if abs(shape - wide / high) < 0.01 else "meet"
    command = f"usearch query --segment {hit.segment}"
    score = f'<span class="score {strength(hit.score, answer.cutoff)}">{hit.score:.2f}</span>'
    caption = f'<div class="cap">{score}{_path(hit.path)}</div>'
    more = (
        f'<button class="copy" type="button" title="{command}" '
        f'aria-label="copy the command for more like hit {hit.rank}">more like this</button>'
    )
    if not photo.uri:
        inner = f'<div class="gone"><p>{_text(photo.problem)}</p></div>'
        return f'<li class="tile a{aspect}">{inner}\n{caption}</li>\n'
    label = (
        f"{answer.question}: hit {hit.rank} of {len(answer.hits)}, score {hit.score:.2f}, "
        f"{hit.path}"
    )
    data = "".join(f' data-{k}="{_text(v)}"' for k, v in _told(answer, hit, links).items() if v)
    outer = f"M{-hit.width} {-hit.height}h{3 * hit.width}v{3 * hit.height}h{-3 * hit.width}z"
    outline = outer + outline_path(hit.rle, hit.mask_size, hit.width, hit.height)
    return (
        f'<li class="tile a{aspect}">'
        f'<button class="open" type="button" id="{tile_id}" aria-haspopup="dialog" '
        f'aria-label="{_text(label)}"{data}>'
        f'<svg viewBox="{left} {top} {wide} {high}" preserveAspectRatio="xMidYMid {fit}" '
        f'aria-hidden="true" focusable="false">'
        f'<defs><path id="{tile_id}-o" vector-effect="non-scaling-stroke" d="{outline}"/></defs>'
        f'<use href="#{ids[hit.image]}"/>'
        + "".join(f'<use class="{c}" href="#{tile_id}-o"/>' for c in ("dim", "halo", "edge"))
        + f"</svg></button>\n{caption}\n{more}</li>\n"
    )


def _told(answer: Answer, hit: Hit, links: bool) -> dict[str, str]:
    """What the large view says of a hit."""
    from usearch.render.tables import percent

    return {
        "question": answer.question,
        "score": f"{hit.score:.3f}",
        "cosine": f"{hit.cosine:.3f}",
        "matched": hit.matched if hit.matched != answer.question else "",
        "path": hit.path,
        "width": str(hit.width),
        "height": str(hit.height),
        "share": percent(hit.area_share),
        "box": ", ".join(f"{value:.0f}" for value in hit.box),
        "taken": (hit.taken_at or "").replace("T", " "),
        "camera": hit.camera or "",
        "folded": str(hit.folded) if hit.folded else "",
        "command": f"usearch query --segment {hit.segment}",
        "link": Path(hit.image).as_uri() if links else "",
    }


def _overview(answers: Sequence[Answer]) -> str:
    """Below the heading: what was searched, or where the sections are."""
    if len(answers) == 1:
        told = _facts(answers[0]) if len(answers[0].hits) else ""
        return f'<p class="facts">{_text(told)}</p>\n' if told else ""
    chips = "".join(
        f'<li><a href="#answer-{i}"><span>{_text(answer.question)}</span>'
        f'<span class="count">{len(answer.hits)}</span></a></li>'
        for i, answer in enumerate(answers, 1)
    )
    return f'<nav aria-label="questions"><ul>{chips}</ul></nav>\n' if answers else ""


def _facts(answer: Answer) -> str:
    hits = len(answer.hits)
    photos = len({hit.photo for hit in answer.hits})
    more = f" {answer.below:,} more are near but score below {answer.cutoff:.2f}."
    return (
        f"{hits:,} {_plural('segment', hits)} in {_photos(photos)}, "
        f"of {answer.segments:,} in {_photos(answer.photos)}."
    ) + (more if answer.below else "")


def _footer(photos: dict[str, Embedded]) -> str:
    from usearch import __version__

    sizes = [len(photo.uri) for photo in photos.values() if photo.uri]
    made = f"Made with usearch {__version__}."
    if not sizes:
        return made
    return f"This page holds {_photos(len(sizes))} ({sum(sizes) / 1e6:.1f} MB). {made}"


def _store_of(photos: dict[str, Embedded], ids: dict[str, str]) -> str:
    """The embedded photos, which the views refer to; stretched to the size the store knows."""
    images = "".join(
        f'<image id="{ids[path]}" width="{photo.width}" height="{photo.height}" '
        f'preserveAspectRatio="none" href="{photo.uri}"/>\n'
        for path, photo in photos.items()
        if photo.uri
    )
    return f'<svg class="unseen" aria-hidden="true" focusable="false"><defs>{images}</defs></svg>\n'


def _path(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    ahead = f'<span class="dir">{_text(folder + slash)}</span>' if folder else ""
    last = f'<span class="file">{_text(name)}</span>'
    return f'<span class="path" title="{_text(path)}">{ahead}{last}</span>'


def _photos(n: int) -> str:
    return f"{n:,} {_plural('photo', n)}"


def _plural(word: str, n: int) -> str:
    return word if n == 1 else word + "s"


def _asset(name: str) -> str:
    file = resources.files("usearch.render").joinpath("gallery_page", name)
    return "\n" + file.read_text(encoding="utf-8").replace("\r\n", "\n")
