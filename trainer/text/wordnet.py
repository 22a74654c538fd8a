"""Open English WordNet (CC BY 4.0) read from its YAML sources: lemmas, senses, broader words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONCRETE = frozenset(
    f"noun.{part}"
    for part in (
        "animal",
        "artifact",
        "body",
        "food",
        "object",
        "plant",
        "person",
        "substance",
        "phenomenon",
        "shape",
        "location",
        "group",
        "event",
        "Tops",
        "state",
        "attribute",
    )
)
"""Lexicographer files whose nouns can be seen, or nearly so."""


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: its words, its definition and the meanings above it."""

    lemmas: tuple[str, ...]
    gloss: str
    above: tuple[str, ...]
    shelf: str


@dataclass(frozen=True, slots=True)
class WordNet:
    """Synsets by id, and for each noun its synset ids, the most common first."""

    synsets: dict[str, Synset]
    nouns: dict[str, tuple[str, ...]]

    def concrete_sense(self, lemma: str) -> str | None:
        """The first sense of a noun that can be seen."""
        for key in self.nouns.get(lemma, ()):
            if self.synsets[key].shelf in CONCRETE:
                return key
        return None

    def path(self, key: str, limit: int = 12) -> list[str]:
        """Lemmas above a meaning, from near to far, without its own."""
        seen: dict[str, None] = {}
        level = [key]
        for _ in range(limit):
            level = [a for k in level for a in self.synsets[k].above if a in self.synsets]
            for k in level:
                seen.update(dict.fromkeys(self.synsets[k].lemmas))
        return list(seen)


def read_wordnet(folder: Path, cache: Path) -> WordNet:
    """Reads `src/yaml` of globalwordnet/english-wordnet.

    Args:
        folder: The folder with `noun.*.yaml`, `entries-*.yaml`, ...
        cache: A JSON file that is written on the first call; parsing the YAML takes minutes.
    """
    if not cache.exists():
        cache.write_text(json.dumps(_parse(folder)), encoding="utf-8")
    raw = json.loads(cache.read_text(encoding="utf-8"))
    synsets = {
        k: Synset(tuple(v["lemmas"]), v["gloss"], tuple(v["above"]), v["shelf"])
        for k, v in raw["synsets"].items()
    }
    nouns = {k: tuple(i for i in v if i in synsets) for k, v in raw["nouns"].items()}
    return WordNet(synsets, nouns)


def _parse(folder: Path) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped, unused-ignore]

    synsets: dict[str, Any] = {}
    for path in sorted(folder.glob("noun.*.yaml")) + sorted(folder.glob("adj.*.yaml")):
        for key, entry in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader).items():
            if "instance_hypernym" in entry:
                continue  # proper names
            synsets[key] = {
                "lemmas": entry["members"],
                "gloss": entry["definition"][0],
                "above": entry.get("hypernym", []),
                "shelf": path.stem,
            }
    nouns: dict[str, list[str]] = {}
    for path in sorted(folder.glob("entries-*.yaml")):
        for lemma, kinds in yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader).items():
            if "n" in kinds and re.fullmatch(r"[a-z0-9' .&-]+", lemma):
                nouns[lemma] = [sense["synset"] for sense in kinds["n"]["sense"]]
    return {"synsets": synsets, "nouns": nouns}
