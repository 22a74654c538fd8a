"""Hits in a notebook: small pictures in a row, with what is known below each."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from usearch.errors import InputError
from usearch.render.safe_text import printable

if TYPE_CHECKING:
    from usearch.hits import Hit, Hits

SHOWN = 12
"""Hits that are drawn; the others are counted."""

_HEIGHT = 150
_SIDE = 800


def hits_html(hits: Hits) -> str:
    """The best hits as a fragment of HTML that needs nothing else and runs no script."""
    if not hits:
        return "<p>nothing here matches</p>"
    figures = "".join(_figure(hits, i, hit) for i, hit in enumerate(hits[:SHOWN]))
    more = f"<p>and {len(hits) - SHOWN} more</p>" if len(hits) > SHOWN else ""
    return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{figures}</div>{more}'


def _figure(hits: Hits, index: int, hit: Hit) -> str:
    name = html.escape(printable(hit.path.rsplit("/", 1)[-1]))
    where = html.escape(printable(hit.image))
    try:
        picture = f'<img alt="" height="{_HEIGHT}" src="{_thumbnail(hits, index)}">'
    except InputError as problem:
        picture = f"<em>{html.escape(printable(problem.message))}</em>"
    matched = f" {html.escape(printable(hit.matched))}" if hit.matched else ""
    return (
        f'<figure style="margin:0;max-width:300px" title="{where}">{picture}'
        f'<figcaption style="font-size:85%">{hit.rank}. {hit.score:.2f}{matched} {name}'
        "</figcaption></figure>"
    )


def _thumbnail(hits: Hits, index: int) -> str:
    """A data address of a small JPEG."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(hits.view(index, _SIDE))
    picture.thumbnail((2 * _HEIGHT, _HEIGHT), Pillow.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
