"""The collection as memory, for runs on label maps: neighbours in a bank vote along."""

from __future__ import annotations

import numpy as np

from eval.map_runs import Mix
from usearch.classify import (
    Bank,
    ClassTexts,
    StoredPhoto,
    mixed_scores,
    segment_probabilities,
    voters_of,
)
from usearch.classify.neighbours import require_same_keys, without_keys
from usearch.records import FloatArray
from usearch.store import Snapshot
from usearch.store.keys import gather_keys, newest_space


def bank_mix(bank: Bank, snapshot: Snapshot, texts: ClassTexts) -> Mix:
    """What mixes the votes of a bank into the probabilities of a store's photos.

    The bank may be the store itself: a photo, and its copies by content, never vote on it.

    Args:
        bank: Whose segments vote.
        snapshot: The store of the photos that are measured.
        texts: The classes in the space of both.

    Raises:
        StoreError: The store has no visual keys.
        SpaceMismatch: Another model made the bank.
    """
    space = newest_space(snapshot.parts)
    if space is None:
        raise without_keys(snapshot)
    require_same_keys(bank, space, snapshot.space, f"the store {snapshot.path}")

    def mix(photo: StoredPhoto, own: FloatArray) -> FloatArray:
        rows = snapshot.rows_of_photo(photo.photo)
        keys = gather_keys(snapshot, rows, bank.space).astype(np.float32)
        voters = voters_of(bank, keys, photo.hash)
        theirs = segment_probabilities(voters.vectors, texts.vectors, texts.logit_scale)
        return mixed_scores(own, voters.rows, voters.similarities, theirs, bank.weight)

    return mix
