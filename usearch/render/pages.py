"""The frame of a page that is one file: it loads nothing, and says so to the browser.

A content security policy allows the one style sheet and the one script by their hashes and
pictures from `data:`, and nothing else, so that text from outside could do no harm even if it
were not escaped. It is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from usearch.render.safe_text import printable


def page_html(title: str, style: str, body: str, script: str = "") -> str:
    """A whole page.

    Args:
        title: Of the page, plain text.
        style: CSS. No element may have a `style` attribute.
        body: HTML, with all text from outside escaped by `text`.
        script: JavaScript that runs when all is there; "" = none may run.
    """
    from usearch import __version__

    policy = (
        f"default-src 'none'; img-src data:; style-src {_allowed(style)}; "
        f"script-src {_allowed(script)}; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="usearch {__version__}">
<title>{text(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}{f"<script>{script}</script>" if script else ""}
</body>
</html>
"""


def text(said: str) -> str:
    """Text from outside for an element or a quoted attribute."""
    return escape(printable(said), quote=True)


def _allowed(content: str) -> str:
    if not content:
        return "'none'"
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
