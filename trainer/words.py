"""Other words for a name: everyday synonyms and broader words with a weight each.

The word list (`words.json`, from Open English WordNet and LVIS) is rich but scholarly:
"car" is a "self-propelled vehicle" and a "machine". Here only broader words that people would type
pass, and synonyms that mean
something else more often are left out. `everyday_words.json` holds what is kept, dropped and
added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usearch.errors import InputError

SYNONYM_WEIGHT = 0.6
BROADER_WEIGHTS = (0.4, 0.3, 0.25)
MAX_SYNONYMS = 3

_TABLES: dict[str, Any] = json.loads(
    Path(__file__).with_name("everyday_words.json").read_text(encoding="utf-8")
)
_EVERYDAY = frozenset(_TABLES["everyday"])
_NO_BROADER = frozenset(_TABLES["no_broader"])
_GROUP_OF = {name: group for group, names in _TABLES["groups"].items() for name in names}
_LATIN = re.compile(r"(\w+(us|is|a|um|ii|ae|ens|es)\b ?){2,}", re.IGNORECASE)
"""A scientific name, "canis familiaris": two or more words with Latin endings."""


@dataclass(frozen=True, slots=True)
class Word:
    """Other words for a name.

    Attributes:
        synonyms: Mean the same.
        broader: Mean more, near to far.
    """

    synonyms: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()


def read_words(path: Path) -> dict[str, Word]:
    """Words of a JSON file `{name: {"synonyms": [...], "broader": [...]}}`, filtered.

    Raises:
        InputError: The file is missing or no such JSON.
    """
    try:
        data: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {name: _filtered(name, entry) for name, entry in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no word list: {error}") from error


def word_for(name: str, words: Mapping[str, Word]) -> Word:
    """Everyday synonyms and broader words of a name; empty when nothing is known."""
    own = _TABLES["own"].get(name)
    if own is not None:
        return Word(tuple(own["synonyms"]), tuple(own["broader"]))
    found = words.get(name) or words.get(_singular(name)) or Word()
    group = _GROUP_OF.get(name)
    if group is not None:
        broader = (group, "food") if group in ("fruit", "vegetable") else (group,)
        return Word(found.synonyms, broader)
    return found


def texts_for(name: str, words: Mapping[str, Word]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Texts of a name with weights: the name itself (1), its synonyms, its broader words."""
    word = word_for(name, words)
    texts = {name: 1.0}
    for text in word.synonyms[:MAX_SYNONYMS]:
        texts.setdefault(text, SYNONYM_WEIGHT)
    for text, weight in zip(word.broader, BROADER_WEIGHTS, strict=False):
        texts.setdefault(text, weight)
    return tuple(texts), tuple(texts.values())


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("shes", "ches", "oes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _filtered(name: str, entry: Mapping[str, Any]) -> Word:
    dropped = _TABLES["not_synonyms"].get(name, ())
    synonyms = [
        s
        for s in entry["synonyms"]
        if s not in dropped and s.lower() != name and not _LATIN.fullmatch(s)
    ]
    broader = [] if name in _NO_BROADER else [b for b in entry["broader"] if b in _EVERYDAY]
    return Word(tuple(synonyms), tuple(broader))
