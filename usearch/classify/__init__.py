"""Segments x classes: a class for every pixel, and the classes of a whole collection.

    texts    a class list as vectors                           embed_classes
    rule     segments and vectors to classes of pixels         classify_segments, shares_of
    parts    `cup > handle`: parts inside their wholes
    bank     neighbours in a store vote along                  mixed_scores, open_bank, voters_of
    ensemble two models as one                                 combine_probabilities
    gaps     what no segment covers, as pieces to embed        gap_pieces, classify_picture
    stored   photos of a store, without opening any            stored_photos, classify_store
    regions  pixels that the same segments cover

Functions over plain arrays and records; nothing prints, nothing reads a photo.
"""

from __future__ import annotations

from usearch.classify.bank import Voters, mixed_scores
from usearch.classify.ensemble import (
    DEFAULT_SECOND_WEIGHT,
    Second,
    SecondModel,
    combine_probabilities,
)
from usearch.classify.gaps import classify_picture, gap_pieces
from usearch.classify.neighbours import Bank, Explained, explain_segments, open_bank, voters_of
from usearch.classify.probabilities import class_scores, segment_probabilities
from usearch.classify.regions import resized_map
from usearch.classify.rule import (
    PAPERS_RULE,
    Classified,
    Rule,
    Shares,
    class_map,
    class_shares,
    classify_segments,
    shares_of,
)
from usearch.classify.stored import (
    PhotoShares,
    StoredPhoto,
    classify_store,
    photo_shares,
    stored_photos,
)
from usearch.classify.texts import ClassTexts, embed_classes
from usearch.classify.values import ClassMap, MapValues, map_values, no_class_value

__all__ = [
    "DEFAULT_SECOND_WEIGHT",
    "PAPERS_RULE",
    "Bank",
    "ClassMap",
    "ClassTexts",
    "Classified",
    "Explained",
    "MapValues",
    "PhotoShares",
    "Rule",
    "Second",
    "SecondModel",
    "Shares",
    "StoredPhoto",
    "Voters",
    "class_map",
    "class_scores",
    "class_shares",
    "classify_picture",
    "classify_segments",
    "classify_store",
    "combine_probabilities",
    "embed_classes",
    "explain_segments",
    "gap_pieces",
    "map_values",
    "mixed_scores",
    "no_class_value",
    "open_bank",
    "photo_shares",
    "resized_map",
    "segment_probabilities",
    "shares_of",
    "stored_photos",
    "voters_of",
]
