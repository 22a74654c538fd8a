"""A store as a bank: which of its segments look like those of a photo, and who votes for what.

A photo never votes on itself: segments of photos with the same content (by hash, whatever store or
path) are left out, so a labelled set can be measured against itself. A copy that was saved anew or
scaled has other bytes and counts as another photo.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from usearch.classify.bank import NEIGHBOURS, Voters, mixed_scores, vote_weights
from usearch.classify.probabilities import class_logits, softmax
from usearch.classify.texts import ClassTexts
from usearch.errors import SpaceMismatch, StoreError, UsageError
from usearch.records import EmbeddingSpace, FloatArray, Segments

if TYPE_CHECKING:
    from usearch.store import Snapshot

BACKGROUND = "(background)"
"""What a neighbour is called whose best class is a contrast class."""


@dataclass(frozen=True, slots=True)
class Bank:
    """A store whose segments vote.

    Attributes:
        snapshot: The store.
        space: Of its visual keys.
        keyed: bool, for each row of the snapshot whether it may vote.
        copies: Ids of the photos of each content hash.
        weight: Share of the neighbours in the mixed scores, 0..1.
        k: Neighbours that vote, at most.
    """

    snapshot: Snapshot
    space: EmbeddingSpace
    keyed: npt.NDArray[np.bool_]
    copies: dict[str, list[int]]
    weight: float
    k: int


@dataclass(frozen=True, slots=True)
class Vote:
    """One neighbour of a segment.

    Attributes:
        segment: Its id in the bank.
        image: Absolute path of its photo.
        box: x0 y0 x1 y1 in pixels of the photo as shown, half-open.
        similarity: Cosine of the keys.
        share: Of the votes on this segment, 0..1.
        name: Its own best class.
        probability: Share of the softmax that the class took.
    """

    segment: int
    image: str
    box: tuple[float, float, float, float]
    similarity: float
    share: float
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a segment has its class.

    Attributes:
        row: Of the segment among those of its photo.
        box: x0 y0 x1 y1 in pixels of the photo as shown, half-open.
        own: Its best class by itself.
        own_probability: Share of the softmax that the class took.
        name: Its best class with the votes.
        probability: Share of the mixed scores that the class took.
        votes: On it, the nearest neighbour first.
    """

    row: int
    box: tuple[float, float, float, float]
    own: str
    own_probability: float
    name: str
    probability: float
    votes: list[Vote]


def open_bank(snapshot: Snapshot, weight: float, k: int = NEIGHBOURS) -> Bank:
    """A store as a bank.

    Args:
        snapshot: The store.
        weight: Share of the neighbours in the mixed scores, 0..1.
        k: Neighbours that vote, at most; at least 1.

    Raises:
        UsageError: Weight or number make no sense.
        StoreError: No segment of the store has a visual key, or the keys are damaged.
    """
    from usearch.store.keys import keyed_rows, newest_space

    if not 0.0 <= weight <= 1.0:
        raise UsageError(f"a bank weight of {weight}: it lies between 0 and 1")
    if k < 1:
        raise UsageError(f"{k} neighbours were asked for", "ask for at least 1")
    space = newest_space(snapshot.parts)
    if space is None:
        raise without_keys(snapshot)
    copies: dict[str, list[int]] = defaultdict(list)
    photos = snapshot.photos().select(["hash", "photo_id"]).to_pydict()
    for content, photo in zip(photos["hash"], photos["photo_id"], strict=True):
        if content:
            copies[content].append(photo)
    return Bank(snapshot, space, keyed_rows(snapshot, space), dict(copies), weight, k)


def without_keys(snapshot: Snapshot) -> StoreError:
    """The error for a store that has no visual keys where some are needed."""
    return StoreError(
        f"the segments of {snapshot.path} have no visual keys",
        f"add them: usearch index FOLDER --keys --store {snapshot.path}",
    )


def require_same_keys(bank: Bank, keys: EmbeddingSpace, vectors: EmbeddingSpace, what: str) -> None:
    """Refuse to compare keys or vectors of two models.

    Args:
        bank: The bank.
        keys: Space of the keys that neighbours are sought for.
        vectors: Space of the vectors beside them.
        what: Whose they are, for the message.

    Raises:
        SpaceMismatch: The bank was made by another model.
    """
    for mine, theirs in ((bank.snapshot.space, vectors), (bank.space, keys)):
        if mine.id != theirs.id:
            raise SpaceMismatch(
                f"the bank {bank.snapshot.path} was made by {mine.name} ({mine.id}), "
                f"{what} by {theirs.name} ({theirs.id})",
                "name a bank that the same model indexed",
            )


def voters_of(bank: Bank, keys: FloatArray, content: str) -> Voters:
    """The neighbours of a photo's segments.

    Args:
        bank: Where they are sought.
        keys: float32 [n, K], of unit length but for rounding; a row of zeros has no neighbour.
        content: Hash of the photo's file, whose copies do not vote; "" excludes none.

    Raises:
        StoreError: A file of the bank is damaged.
    """
    from usearch.store.keys import search_keys

    allowed = bank.keyed
    if bank.copies.get(content):
        allowed = allowed.copy()
        for photo in bank.copies[content]:
            allowed[bank.snapshot.rows_of_photo(photo)] = False
    lengths = np.linalg.norm(keys, axis=1)
    asked = np.flatnonzero(lengths > 0)
    queries = keys[asked] / lengths[asked, None]
    cosines, found = search_keys(bank.snapshot, queries, bank.k, allowed, bank.space)
    sources, places = np.unique(found, return_inverse=True)
    rows = np.full((len(keys), found.shape[1]), -1, np.int64)
    rows[asked] = places.reshape(found.shape)
    similarities = np.zeros(rows.shape, np.float32)
    similarities[asked] = cosines
    vectors = bank.snapshot.vectors(sources)
    return Voters(rows, similarities, vectors, bank.weight, sources)


def votes_on(
    bank: Bank, voters: Voters, texts: ClassTexts, segments: npt.NDArray[np.int64]
) -> list[list[Vote]]:
    """Who voted on some segments of a photo, the nearest first.

    Args:
        bank: Where the voters are from.
        voters: Of the photo's segments.
        texts: The classes.
        segments: int64 [q], rows of the photo's segments.
    """
    from usearch.store import real_name

    rows = voters.rows[segments]
    wanted = np.unique(rows[rows >= 0])
    if not len(wanted):
        return [[] for _ in segments]
    shares = _softmax_of(voters.vectors[wanted], texts)
    best = shares.argmax(1)
    titles = _titles(texts)
    table = bank.snapshot.segments(voters.sources[wanted]).to_pylist()
    weights = vote_weights(voters.rows, voters.similarities)[segments]
    out: list[list[Vote]] = []
    for line, (mine, share) in enumerate(zip(rows, weights, strict=True)):
        votes = []
        for column, row in enumerate(mine.tolist()):
            if row < 0:
                continue
            at = int(np.searchsorted(wanted, row))
            record = table[at]
            votes.append(
                Vote(
                    segment=record["segment_id"],
                    image=f"{real_name(record['root'])}/{real_name(record['path'])}",
                    box=(record["x0"], record["y0"], record["x1"], record["y1"]),
                    similarity=float(voters.similarities[segments[line], column]),
                    share=float(share[column]),
                    name=titles[int(best[at])],
                    probability=float(shares[at, best[at]]),
                )
            )
        out.append(votes)
    return out


def explain_segments(
    bank: Bank,
    voters: Voters,
    texts: ClassTexts,
    segments: Segments,
    vectors: FloatArray,
    size: tuple[int, int],
    most: int,
) -> list[Explained]:
    """Why the largest segments of a photo have their classes.

    Args:
        bank: Where the voters are from.
        voters: Of the photo's segments.
        texts: The classes; parts count as classes of their own here.
        segments: n segments of the photo.
        vectors: float32 [n, D].
        size: (height, width) of the photo as shown, in pixels.
        most: How many segments, at most.
    """
    rows = np.argsort(-segments.areas, kind="stable")[:most]
    own = _softmax_of(vectors[rows], texts)
    theirs = _softmax_of(voters.vectors, texts)
    mixed = mixed_scores(own, voters.rows[rows], voters.similarities[rows], theirs, bank.weight)
    titles = _titles(texts)
    height, width = size
    scale = np.array([width / segments.size[1], height / segments.size[0]] * 2)
    out = []
    for row, mine, both, votes in zip(
        rows.tolist(), own, mixed, votes_on(bank, voters, texts, rows), strict=True
    ):
        x0, y0, x1, y1 = (segments.boxes[row] * scale).tolist()
        alone, best = int(mine.argmax()), int(both.argmax())
        out.append(
            Explained(
                row=row,
                box=(x0, y0, x1, y1),
                own=titles[alone],
                own_probability=float(mine[alone]),
                name=titles[best],
                probability=float(both[best]),
                votes=votes,
            )
        )
    return out


def _softmax_of(vectors: FloatArray, texts: ClassTexts) -> FloatArray:
    return softmax(class_logits(vectors, [*texts.vectors, *texts.background], texts.logit_scale))


def _titles(texts: ClassTexts) -> list[str]:
    return [*texts.listed.titles, *[BACKGROUND] * len(texts.background)]
