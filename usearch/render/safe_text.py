"""Text from outside made safe to show: file names, class names, queries."""

from __future__ import annotations

import os
import re
from os import PathLike

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, what reverses the direction of text, line separators, surrogates."""


def printable(text: str, *, keep_newlines: bool = False, keep_tabs: bool = False) -> str:
    r"""Text with everything that could steer a terminal written as an escape.

    A file called `a\x1b[2Jb.jpg` is shown so and clears no screen. Undecodable bytes of
    a file name (surrogates) are shown as the bytes they stand for. Ordinary text of any
    script is left alone.

    Args:
        text: Any text.
        keep_newlines: Leave line ends alone.
        keep_tabs: Leave tabs alone.
    """

    def escape(match: re.Match[str]) -> str:
        char = match.group()
        if (keep_newlines and char == "\n") or (keep_tabs and char == "\t"):
            return char
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            return f"\\x{code - 0xDC00:02x}"
        return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"

    return _UNSAFE.sub(escape, text)


def json_name(path: str | PathLike[str]) -> str:
    """A file name for JSON, which has no bytes: those that are no UTF-8 become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")
