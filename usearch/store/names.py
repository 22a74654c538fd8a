"""File names as Parquet strings, without loss.

A file name on Linux is bytes; Python shows bytes that are no UTF-8 as lone surrogates, which
no UTF-8 column can hold. In the store such a byte is the character U+F700 + byte (private
use, U+F780..U+F7FF), and a name that itself holds one of these characters has the bytes of
that character stored the same way. Every other name is stored as it is. So stored names are
plain text in any Parquet reader, each file name has exactly one stored form, and back.
"""

from __future__ import annotations

import os
import re

_BASE = 0xF700
_ESCAPED = re.compile("[\uf780-\uf7ff]+")
_NEEDS = re.compile("[\udc80-\udcff\uf780-\uf7ff]+")


def stored_name(name: str) -> str:
    """The stored form of a file name as Python gives it (with surrogate escapes)."""
    return _NEEDS.sub(
        lambda m: "".join(chr(_BASE + b) for b in m[0].encode("utf-8", "surrogateescape")), name
    )


def real_name(stored: str) -> str:
    """The file name, as Python's file functions take it, of a stored form."""
    if not _ESCAPED.search(stored):
        return stored
    out = bytearray()
    for char in stored:
        code = ord(char)
        if _BASE + 0x80 <= code <= _BASE + 0xFF:
            out.append(code - _BASE)
        else:
            out += char.encode("utf-8", "surrogatepass")
    return os.fsdecode(bytes(out))


def plain_text(text: str) -> str:
    """Text from a photo's metadata that any UTF-8 column holds."""
    return text.encode("utf-8", "replace").decode("utf-8")
