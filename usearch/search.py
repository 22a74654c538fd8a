"""Questions to hits: a text becomes a vector, the store's nearest segments become hits.

Hits are ranked by cosine alone. The score, 0..1, is what a person reads: how well the
query explains the segment beside a fixed vocabulary of everyday words. It decides where
"nothing here matches" begins, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, path
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from usearch.errors import SpaceMismatch, UsageError
from usearch.hits import Hit as Hit
from usearch.scores import SAME_MEANING as SAME_MEANING
from usearch.scores import Contrast as Contrast
from usearch.scores import load_contrast as load_contrast
from usearch.scores import match_scores as match_scores

if TYPE_CHECKING:
    from usearch.records import FloatArray
    from usearch.store import Snapshot
    from usearch.text import TextEncoder

LONGEST_TEXT = 2000
"""Characters of a question. More is a file given by mistake, not a name of something."""


def text_vector(
    encoder: TextEncoder, text: str, templates: Sequence[str], cache_dir: Path | None = None
) -> FloatArray:
    """float32 [D], unit length: what is searched for when `text` is asked.

    Raises:
        UsageError: The text is empty, too long, or not text.
    """
    from usearch.text.embed import embed_names

    vectors: FloatArray = embed_names(encoder, [checked_text(text)], templates, cache_dir)
    vector: FloatArray = vectors[0]
    return vector


def checked_text(text: str) -> str:
    """The question with outer white space removed.

    Raises:
        UsageError: The text is empty, too long, or not text.
    """
    words = " ".join(text.split())
    if not any(char.isprintable() and not char.isspace() for char in words):
        raise UsageError("the question is empty", 'say what to look for: usearch query "red car"')
    if len(words) > LONGEST_TEXT:
        raise UsageError(
            f"the question has {len(words)} characters; {LONGEST_TEXT} are the limit",
            "name what to look for in a few words",
        )
    try:
        words.encode()
    except UnicodeEncodeError:
        raise UsageError("the question is not valid UTF-8 text") from None
    return words


def query_text(
    snapshot: Snapshot,
    encoder: TextEncoder,
    text: str,
    k: int = 10,
    *,
    contrast: Contrast,
    templates: Sequence[str] = ("{}",),
    min_score: float = 0.0,
    cache_dir: Path | None = None,
) -> list[Hit]:
    """The at most `k` segments nearest to a text, best first.

    Args:
        snapshot: What is searched.
        encoder: Text encoder of the same embedding space.
        text: What to look for, in plain words.
        k: Hits wanted, at least 1.
        contrast: What scores are measured against; see `load_contrast`.
        templates: Sentences that the text is put into, with `{}` for it.
        min_score: Hits that score less are left out, 0..1.
        cache_dir: Where text vectors are kept; None keeps none.

    Raises:
        UsageError: The text, `k` or `min_score` makes no sense.
        SpaceMismatch: The store holds vectors of another space than the encoder's.
    """
    require_same_space(snapshot, encoder)
    query = text_vector(encoder, text, templates, cache_dir)
    return query_vector(snapshot, query, k, contrast=contrast, min_score=min_score)


def query_vector(
    snapshot: Snapshot,
    query: FloatArray,
    k: int,
    *,
    contrast: Contrast,
    min_score: float = 0.0,
    allowed: npt.NDArray[np.int64] | None = None,
) -> list[Hit]:
    """As `query_text` for a vector that is already there.

    Args:
        query: float32 [D], unit length.
        allowed: Rows of the snapshot to search in; None for all.
    """
    if k < 1:
        raise UsageError(f"{k} results were asked for; at least 1 is needed")
    if not 0.0 <= min_score <= 1.0:
        raise UsageError(f"a minimum score of {min_score}; scores lie between 0 and 1")
    wanted = min(k, snapshot.n_segments)
    if wanted == 0:
        return []
    cosines, rows = snapshot.search(query[None], wanted, allowed)
    scores = match_scores(query, snapshot.vectors(rows[0]), contrast)
    keep = scores >= min_score
    return _hits(snapshot, cosines[0][keep], scores[keep], rows[0][keep])


def require_same_space(snapshot: Snapshot, encoder: TextEncoder) -> None:
    """Refuse to compare vectors of two spaces.

    Raises:
        SpaceMismatch: The store's space is not the encoder's.
    """
    held, given = snapshot.space, encoder.space
    if held.id != given.id:
        raise SpaceMismatch(
            f"the store {snapshot.path} holds vectors of {held.name} ({held.id}), "
            f"the text encoder makes those of {given.name} ({given.id})",
            "index the photos again with this version: usearch index FOLDER --store NEW",
        )


def _hits(
    snapshot: Snapshot,
    cosines: FloatArray,
    scores: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
) -> list[Hit]:
    if not len(rows):
        return []
    from usearch.store import real_name

    table = snapshot.segments(rows).to_pylist()
    return [
        Hit(
            rank=i + 1,
            cosine=float(cosines[i]),
            score=float(scores[i]),
            root=real_name(row["root"]),
            path=real_name(row["path"]),
            width=row["width"],
            height=row["height"],
            box=(row["x0"], row["y0"], row["x1"], row["y1"]),
            area_share=row["area_share"],
            segment=row["segment_id"],
            photo=row["photo_id"],
            mask_size=(row["mask_h"], row["mask_w"]),
            rle=_as_bytes(row["rle"]),
        )
        for i, row in enumerate(table)
    ]


def _as_bytes(counts: bytes | str) -> bytes:
    return counts if isinstance(counts, bytes) else counts.encode("ascii")


def shown_path(image: str | PathLike[str], base: Path | None = None) -> str:
    """Path as a person would type it: relative when the photo lies below `base`.

    Args:
        image: Absolute path.
        base: Absolute folder; the current one when None.
    """
    full, start = path.normpath(image), str(Path.cwd() if base is None else base)
    return path.relpath(full, start) if full.startswith(start.rstrip("/") + "/") else full
