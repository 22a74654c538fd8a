"""Large json files entry by entry, so that memory holds one entry and not the file.

Label files of whole data sets have hundreds of megabytes to a gigabyte; as Python objects they
would need five times that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from usearch.errors import InputError

_CHUNK = 1 << 20
_SPACE = " \t\n\r"
Entry = tuple[str, int, Any]


def entries(path: Path) -> Iterator[Entry]:
    """The entries of the lists of a json file, in the order of the file.

    A file that is a list gives ("", 0, first), ("", 1, second), ...; one that is an object gives
    (key, 0, first), ... for each key with a list, (key, -1, []) for one with an empty list, and
    (key, -1, value) for each other key.

    Raises:
        InputError: There is no such file, it is no json, or neither a list nor an object.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from _Scanner(file).document()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as json: {error}") from error


class _Scanner:
    """A json document of which a window of text is in memory.

    Raises ValueError where the text is no json.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    def document(self) -> Iterator[Entry]:
        first = self._next()
        if first == "[":
            yield from self._list("")
        elif first == "{":
            yield from self._object()
        else:
            raise ValueError("neither a list nor an object")
        if self._peek():
            raise ValueError("text behind the end of the document")

    def _object(self) -> Iterator[Entry]:
        if self._peek() == "}":
            self._next()
            return
        while True:
            key = self._value()
            if not isinstance(key, str):
                raise ValueError(f"{key!r} where a key is expected")
            self._expect(":")
            if self._peek() == "[":
                self._next()
                if self._peek() == "]":
                    yield key, -1, []
                yield from self._list(key)
            else:
                yield key, -1, self._value()
            if self._expect(",}") == "}":
                return

    def _list(self, key: str) -> Iterator[Entry]:
        if self._peek() == "]":
            self._next()
            return
        row = 0
        while True:
            yield key, row, self._value()
            row += 1
            if self._expect(",]") == "]":
                return

    def _value(self) -> Any:
        self._peek()
        wanted = _CHUNK
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except ValueError:
                if self._ended:
                    raise
            else:
                if self._ended or not self._may_go_on(end):
                    self._at = end
                    return value
            self._fill(wanted)
            wanted *= 2  # a long entry is parsed a few times, not once a chunk

    def _may_go_on(self, end: int) -> bool:
        """Whether a number that ends here ends with the window: "12" may be "123", "1e" 1e5."""
        return end == len(self._text) or self._text[end] in ".eE"

    def _peek(self) -> str:
        """The next character that is no space, or "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if self._ended:
                return ""
            self._fill(_CHUNK)

    def _next(self) -> str:
        found = self._peek()
        self._at += 1
        return found

    def _expect(self, characters: str) -> str:
        found = self._next()
        if not found or found not in characters:
            raise ValueError(f"{found or 'the end'!r} where one of {characters!r} is expected")
        return found

    def _fill(self, size: int) -> None:
        more = self._file.read(size)
        self._ended = not more
        self._text = self._text[self._at :] + more
        self._at = 0
