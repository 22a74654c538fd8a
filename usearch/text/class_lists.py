r"""Class lists: one class a line, `name, synonym, ...`, UTF-8 (or UTF-16 with a byte order mark).

    # what is in the kitchen
    cup, mug
    table
    cup > handle, grip

The value of a class in a map is its position among the classes, from 0. Blank lines and lines that
begin with `#` hold no class and are not counted, so a list may be grouped and explained, and a line
end at the end of the file changes nothing. `whole > part, synonym` names a part that is only sought
inside its whole; a whole without a line of its own takes its place just before its first part.
`\,` `\>` and `\#` are a comma, a `>` and a leading `#` in a name. A line of several columns divided
by tabs is refused rather than guessed at.
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
_ABOVE = re.compile(r"(?<!\\)>")
_ESCAPED = re.compile(r"\\([,>#])")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Classes in the order of their values.

    Attributes:
        names: For each class its names, the first one for people; at least one each.
        source: Where the list came from, for messages.
        lines: Line numbers from 1 of the classes in the source; empty when it had no lines.
        wholes: For each class the value of the class that it is a part of, or -1; empty when no
            class is a part.
    """

    names: list[list[str]]
    source: str
    lines: list[int] = field(default_factory=list)
    wholes: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def has_parts(self) -> bool:
        """Whether a class is a part of another one."""
        return any(whole >= 0 for whole in self.wholes)

    def whole_of(self, value: int) -> int:
        """The value of the class that a class is a part of, or -1."""
        return self.wholes[value] if self.wholes else -1

    @property
    def titles(self) -> list[str]:
        """For people: the first name of each class, parts with their wholes (`cup > handle`)."""
        return [self._title(value) for value in range(len(self))]

    def _title(self, value: int) -> str:
        whole, name = self.whole_of(value), self.names[value][0]
        return name if whole < 0 else f"{self._title(whole)} > {name}"


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


@dataclass(slots=True, eq=False)
class _Class:
    """A class while a list is read: the line (from 1) that named it, and its whole."""

    names: list[str]
    whole: _Class | None
    line: int

    @property
    def depth(self) -> int:
        """How many wholes it lies in."""
        return 0 if self.whole is None else self.whole.depth + 1


def parse_classes(
    lines: Iterable[str], source: str, unit: str = "line", shared: bool = False
) -> ClassList:
    """Reads classes from lines of text.

    Args:
        lines: One class each, as the module says.
        source: Where they are from, for messages.
        unit: What one of them is called in messages.
        shared: Whether two classes may share a name, as in published lists of data sets.

    Raises:
        InputError: No class, an empty name, or tabs in a line.
        UsageError: Two lines share a name; the message names both lines.
    """
    rows = [(number, _chain(raw, f"{source}, {unit} {number}")) for number, raw in
            enumerate(lines, 1) if raw.strip() and not raw.lstrip().startswith("#")]  # fmt: skip
    if not rows:
        raise InputError(f"{source} names no class", "write one class a line, such as: person")
    found: list[_Class] = []
    known: dict[tuple[_Class | None, str], _Class] = {}

    def add(names: list[str], whole: _Class | None, number: int) -> _Class:
        new = _Class(names, whole, number)
        for name in names:
            other = known.setdefault((whole, name.casefold()), new)
            if other is not new and not shared:
                raise UsageError(
                    f"{source}: {name!r} stands in {unit} {other.line} and in {unit} {number}",
                    f"a pixel has one class: keep the name in one {unit}",
                )
        found.append(new)
        return new

    # Wholes before their parts: a line of their own counts wherever it stands.
    for number, chain in sorted(rows, key=lambda row: len(row[1])):
        whole: _Class | None = None
        for names in chain[:-1]:
            whole = _named(names, whole, known, f"{source}, {unit} {number}") or add(
                names, whole, number
            )
        add(chain[-1], whole, number)
    found.sort(key=lambda one: (one.line, one.depth))
    place = {id(one): value for value, one in enumerate(found)}
    wholes = [-1 if one.whole is None else place[id(one.whole)] for one in found]
    return ClassList(
        [one.names for one in found],
        source,
        [one.line for one in found],
        wholes if max(wholes) >= 0 else [],
    )


def _chain(raw: str, where: str) -> list[list[str]]:
    """Names of the class of a line, after those of its wholes from the largest down."""
    line = raw.strip()
    if "\t" in line:
        raise InputError(
            f"{where}: a tab divides {line[:60]!r} into columns",
            "keep one class a line: `name, synonym, ...`",
        )
    chain = []
    for level in _ABOVE.split(line):
        names = [" ".join(_ESCAPED.sub(r"\1", name).split()) for name in _COMMA.split(level)]
        if not all(names):
            raise InputError(
                f"{where}: there is an empty name in {line[:60]!r}",
                "remove the extra `,` or `>`; write `\\,` or `\\>` for one inside a name",
            )
        chain.append(list({name.casefold(): name for name in reversed(names)}.values())[::-1])
    return chain


def _named(
    names: list[str],
    whole: _Class | None,
    known: dict[tuple[_Class | None, str], _Class],
    where: str,
) -> _Class | None:
    """The class of some names among the parts of a whole, or None when it is a new one."""
    meant = [known.get((whole, name.casefold())) for name in names]
    first = next((one for one in meant if one is not None), None)
    for name, one in zip(names, meant, strict=True):
        if first is not None and one is not first:
            raise UsageError(
                f"{where}: {name!r} is no name of the class {first.names[0]!r}",
                "name a whole as in its own line",
            )
    return first


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
            f"there is no class file {path}",
            "give a text file with one class a line, or each class with --class NAME",
        ) from None
    except OSError as error:
        raise InputError(
            f"the class file {path} cannot be read: {error.strerror}",
            "give a text file with one class a line",
        ) from error
    # Only real line ends divide classes: str.splitlines would also cut at form feeds and the like.
    lines = re.split(r"\r\n|\n|\r", decode(data, str(path)))
    return parse_classes(lines, str(path))
