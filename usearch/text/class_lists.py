r"""Class files: one class a line, `name, synonym, ...`, UTF-8 (or UTF-16 with a byte order mark).

The value of a class in a map is its position among the classes, from 0. Blank lines hold no class
and are not counted, so a list may be grouped, and a line end at the end of the file changes
nothing. `\,` is a comma inside a name. A line of several columns divided by tabs is refused rather
than guessed at.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from usearch.errors import InputError, UsageError

MAX_BYTES = 64 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMA = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes in the order of their values.

    Attributes:
        names: For each class its names, the first one for people; at least one each.
        source: Where the list came from, for messages.
        lines: Line numbers from 1 of the classes in the source; empty when it had no lines.
    """

    names: list[list[str]]
    source: str
    lines: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def titles(self) -> list[str]:
        """The first name of each class."""
        return [names[0] for names in self.names]


def decode(data: bytes, source: str) -> str:
    """Text of a file by its byte order mark, else UTF-8.

    Raises:
        InputError: The bytes are not text in that encoding; the message names the first bad byte.
    """
    encoding, start = "utf-8", 0
    for mark, name in _MARKS:
        if data.startswith(mark):
            encoding, start = name, len(mark)
            break
    else:
        if b"\0" in data[:4096]:
            at = data.index(b"\0")
            raise InputError(
                f"{source} is not a text file: zero byte at offset {at}",
                "give a text file with one class a line, in UTF-8",
            )
    try:
        return data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        at = start + error.start
        raise InputError(
            f"{source} is not {encoding.upper()}: byte 0x{data[at]:02x} at offset {at}"
            f" (line {data[:at].count(10) + 1})",
            "save the file as UTF-8",
        ) from None


def parse_classes(lines: Iterable[str], source: str) -> ClassList:
    """Reads classes from lines of text.

    Raises:
        InputError: No class, an empty name, or tabs in a line.
        UsageError: Two lines share a name; the message names both lines.
    """
    names: list[list[str]] = []
    numbers: list[int] = []
    first: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line:
            continue
        if "\t" in line:
            raise InputError(
                f"{source}, line {number}: a tab divides {line[:60]!r} into columns",
                "keep one class a line: `name, synonym, ...`",
            )
        parts = [" ".join(p.replace("\\,", ",").split()) for p in _COMMA.split(line)]
        if not all(parts):
            raise InputError(
                f"{source}, line {number}: there is an empty name in {line[:60]!r}",
                "remove the extra comma; write `\\,` for a comma inside a name",
            )
        parts = list({p.casefold(): p for p in reversed(parts)}.values())[::-1]
        for part in parts:
            key = part.casefold()
            if key in first:
                raise UsageError(
                    f"{source}: {part!r} stands in line {first[key]} and in line {number}",
                    "a pixel has one class: keep the name in one of the lines",
                )
            first[key] = number
        names.append(parts)
        numbers.append(number)
    if not names:
        raise InputError(f"{source} names no class", "write one class a line, such as: person")
    return ClassList(names, source, numbers)


def read_class_list(path: Path) -> ClassList:
    """Reads a class file.

    Args:
        path: The file; see the module for its form.

    Raises:
        InputError: The file is missing, too large, not text, empty, or a line is malformed; the
            message names the line or the byte.
        UsageError: Two lines share a name.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"{path} is {size / 2**20:.0f} MiB: too large for a class file",
                "give a text file with one class a line",
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(
            f"there is no class file {path}", "give a text file with one class a line"
        ) from None
    except OSError as error:
        raise InputError(
            f"the class file {path} cannot be read: {error.strerror}",
            "give a text file with one class a line",
        ) from error
    # Only real line ends divide classes: str.splitlines would also cut at form feeds and the like.
    lines = re.split(r"\r\n|\n|\r", decode(data, str(path)))
    return parse_classes(lines, str(path))
