"""CLIP's tokeniser without torch: byte pairs of the lower-cased text, as open_clip has them.

The vocabulary is the published list of merges (`bpe_simple_vocab_16e6.txt.gz`), which an exported
model brings along. open_clip also repairs text that was decoded wrongly somewhere on its way
(ftfy's guesses about mojibake); that is left out here, the harmless rest of it is not: curly
quotes, ligatures, full-width letters, NFC.
"""

from __future__ import annotations

import gzip
import html
import unicodedata
import zlib
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from usearch.errors import ModelError

_MERGES = 49152 - 256 - 2
_SUFFIXES = ("'re", "'ve", "'ll", "'s", "'t", "'m", "'d")
_QUOTES = {**dict.fromkeys("\u02bc\u2018\u2019\u201a\u201b", "'"),
           **dict.fromkeys("\u201c\u201d\u201e\u201f", '"')}  # fmt: skip
_MAX_CHARACTERS = 20_000  # far beyond 77 tokens; keeps a pasted file from costing seconds


class BytePairs:
    """Texts to rows of tokens.

    Args:
        vocabulary: The list of merges, gzip.

    Raises:
        ModelError: The file is missing or not such a list.
    """

    def __init__(self, vocabulary: Path) -> None:
        try:
            lines = gzip.decompress(vocabulary.read_bytes()).decode("utf-8").split("\n")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ModelError(f"{vocabulary} cannot be read: {error}") from error
        merges = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]
        if len(merges) != _MERGES or any(len(merge) != 2 for merge in merges):
            raise ModelError(f"{vocabulary} is not CLIP's list of merges")
        self._letters = _letters_of_bytes()
        letters = list(self._letters.values())
        pieces = [*letters, *(f"{one}</w>" for one in letters), *("".join(m) for m in merges)]
        self._number = {piece: number for number, piece in enumerate(pieces)}
        self._rank = {merge: rank for rank, merge in enumerate(merges)}
        self._start, self._end = len(pieces), len(pieces) + 1
        self._pieces = lru_cache(maxsize=4096)(self._merged)

    def __call__(self, texts: list[str], length: int) -> npt.NDArray[np.int64]:
        """Rows of tokens, int64 [n, length]: start, pieces, end, zeros.

        A text that is too long keeps its first pieces and the end.
        """
        rows = np.zeros((len(texts), length), np.int64)
        for row, text in zip(rows, texts, strict=True):
            tokens = [self._start, *self._encode(text), self._end][:length]
            tokens[-1] = self._end
            row[: len(tokens)] = tokens
        return rows

    def _encode(self, text: str) -> list[int]:
        words = split_words(cleaned(text[:_MAX_CHARACTERS]))
        return [number for word in words for number in self._pieces(word)]

    def _merged(self, word: str) -> tuple[int, ...]:
        """Numbers of the pieces of a word: the pair that is ranked first is joined first."""
        parts = [self._letters[byte] for byte in word.encode("utf-8", "surrogatepass")]
        parts[-1] += "</w>"
        while len(parts) > 1:
            best = min(pairwise(parts), key=lambda pair: self._rank.get(pair, _MERGES))
            if best not in self._rank:
                break
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == best:
                    joined[-1] += part + "\0"  # never the first half of another such pair
                else:
                    joined.append(part)
            parts = [part.removesuffix("\0") for part in joined]
        return tuple(self._number[part] for part in parts)


def cleaned(text: str) -> str:
    """A text as open_clip reads it: plain quotes, NFC, no HTML entities, lower case."""
    for _ in range(2):
        text = html.unescape(text)
    plain = "".join(_plain(char) for char in text)
    return " ".join(unicodedata.normalize("NFC", plain).split()).lower()


def split_words(text: str) -> list[str]:
    """Runs of letters, single digits, runs of other signs; English endings by themselves."""
    words: list[str] = []
    at = 0
    while at < len(text):
        ending = next((s for s in _SUFFIXES if text.startswith(s, at)), None)
        if ending is not None:
            words.append(ending)
            at += len(ending)
            continue
        kind = _kind(text[at])
        stop = at + 1
        while kind != "number" and stop < len(text) and _kind(text[stop]) == kind:
            stop += 1
        if kind != "space":
            words.append(text[at:stop])
        at = stop
    return words


def _plain(char: str) -> str:
    if char < "\x7f":
        return char
    if char in _QUOTES:
        return _QUOTES[char]
    wide = "\uff01" <= char <= "\uff5e" or char == "\u3000"
    joined = "\ufb00" <= char <= "\ufb06"
    return unicodedata.normalize("NFKC", char) if wide or joined else char


def _kind(char: str) -> str:
    if char.isspace():
        return "space"
    category = unicodedata.category(char)[0]
    return {"L": "letter", "N": "number"}.get(category, "sign")


def _letters_of_bytes() -> dict[int, str]:
    """A printable letter for every byte, in the order of the vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{byte: chr(byte) for byte in printable},
        **{byte: chr(256 + place) for place, byte in enumerate(others)},
    }
