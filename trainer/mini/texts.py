"""Vectors of all texts of the pairs: python -m trainer.mini.texts --pairs F... --text DIR -o F.npz.

The image side is trained against the text encoder that will answer queries, not against its
teachers, so that the two meet where a query is asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from trainer.pairs import read_pairs
from usearch.text.network import TextNetwork

_CHUNK = 512


def texts_of(pairs: Iterable[Path]) -> list[str]:
    """All texts and soft names that occur in pairs, sorted."""
    found: set[str] = set()
    for path in pairs:
        for image in read_pairs(path):
            for segment in image.segments:
                found.update(segment.texts)
                found.update(name for name, _ in segment.soft)
    return sorted(found)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--text", type=Path, required=True, help="folder of the text encoder")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    network = TextNetwork(options.text / "text.safetensors", options.text / "text.vocab.txt")
    texts = texts_of(options.pairs)
    vectors = [network(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
    np.savez(options.output, names=np.array(texts), vectors=np.concatenate(vectors))


if __name__ == "__main__":
    main()
