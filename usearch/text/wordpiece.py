"""WordPiece: text to known pieces of words, by greedy longest match (Schuster and Nakajima, 2012).

The same cleaning as BERT's uncased vocabularies (lower case, accents off, punctuation apart) in
plain Python: a query needs ten pieces, for which loading a tokeniser library would cost more than
the tokenising. An emoji is read by its Unicode name, so that a dog's face means a dog.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_LONGEST_WORD = 100
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


def _spell(char: str) -> str:
    """What a character of the decomposed text becomes: itself, spaces, a name, or nothing."""
    if char.isascii():
        if char.isalnum():
            return char
        return " " if char.isspace() else "" if not char.isprintable() else f" {char} "
    kind = unicodedata.category(char)
    if kind == "So":
        return f" {unicodedata.name(char, '').lower()} "
    if kind[0] == "Z":
        return " "
    if kind[0] == "C" or kind in ("Mn", "Me", "Sk"):  # controls, lone surrogates, accents, tones
        return ""
    if kind[0] == "P" or any(low <= ord(char) <= high for low, high in _IDEOGRAPHS):
        return f" {char} "
    return char


def clean(text: str) -> list[str]:
    """Splits a text into lower-case words and punctuation marks."""
    flat = unicodedata.normalize("NFKD", text.lower())
    return "".join(map(_spell, flat)).lower().split()


class WordPiece:
    """Pieces of words and their numbers.

    Args:
        pieces: The vocabulary; a piece that continues a word begins with `##`.
            It holds `[UNK]`, which stands for a word that cannot be put together.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.ids = {piece: i for i, piece in enumerate(pieces)}
        self.unknown = self.ids["[UNK]"]

    def word(self, word: str) -> list[int]:
        """The pieces of one cleaned word."""
        if len(word) > _LONGEST_WORD:
            return [self.unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self.ids.get(mark + word[start:end])
                if piece is not None:
                    found.append(piece)
                    start = end
                    break
            else:
                return [self.unknown]
        return found

    def __call__(self, text: str) -> list[int]:
        """The pieces of a text; empty for a text without any visible character."""
        return [piece for word in clean(text) for piece in self.word(word)]
