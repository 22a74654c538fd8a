"""The card of a trained head: what it is made of, in numbers that a person can check.

A card outlives the machine that it was written on: it names data by source, with photos,
segments, texts and terms, and carries the whole recipe, defaults included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.embedders.checkpoint import HeadCard
    from indexer.embedders.head import HeadShape
    from indexer.embedders.towers import InputSize


@dataclass(frozen=True, slots=True)
class DataSource:
    """One source of pairs, counted over the photos that were trained on.

    Attributes:
        source: Name of the collection, as in the pairs (`PairImage.source`).
        licence: Terms stated for it; empty where none are.
        photos: Photos.
        segments: Segments with a text.
        texts: Texts of these segments, repeats counted.
    """

    source: str
    licence: str
    photos: int
    segments: int
    texts: int


def run_card(
    shape: HeadShape,
    *,
    towers: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, str],
    size: InputSize,
    data: Sequence[DataSource],
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    logit_scale: float = 30.0,
    templates: str = "use4",
    held: Sequence[DataSource] = (),
) -> HeadCard:
    """The card that `indexer.embedders.checkpoint.save_head` writes beside a head.

    The id of the embedding space needs the checksum of the weights, so saving fills it in.

    Args:
        shape: Architecture of the head.
        towers: Identity of each branch's backbone (`Source.identity()`), and of "text" where no
            branch gives the text tower.
        files: Name of each backbone's weight file.
        size: How an image reaches the towers when the head is used.
        data: What it was trained on.
        recipe: All values of the recipe, plain JSON.
        metrics: Figures, plain JSON: of training, and of held-out photos.
        logit_scale: Multiplier of the cosine at the end of training.
        templates: Template set that texts were put through.
        held: What was held out, and the figures were taken on.
    """
    from indexer.embedders.checkpoint import HeadCard

    return HeadCard(
        shape=shape,
        towers=towers,
        files=files,
        input=size.to_json(),
        space_id="",
        logit_scale=logit_scale,
        notes={},
        templates=templates,
        data={"trained_on": _counted(data), "held_out": _counted(held)},
        recipe=recipe,
        metrics=metrics,
    )


def _counted(data: Sequence[DataSource]) -> dict[str, Any]:
    """Totals, then the sources, the largest first."""
    totals = {key: sum(getattr(d, key) for d in data) for key in ("photos", "segments", "texts")}
    ordered = sorted(data, key=lambda d: (-d.photos, d.source))
    return {**totals, "sources": [asdict(d) for d in ordered]}
