"""The paper's ablations on any backbones (USE, tables 4 and 5): one cache, many heads.

Table 4 leaves out a backbone, table 5 the class tokens; the number l of blocks that are used is
an option of section 3.2. What a head is given is a choice among the columns of a cache, so the
backbones run once for all of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from indexer.embedders.head import Branch, FoldedHead, HeadShape, USEHead
from indexer.embedders.use import shape_for
from indexer.interrupts import Stop
from trainer.use import run_state
from trainer.use.backbones import Backbones
from trainer.use.batches import StepPhotos, plan_of
from trainer.use.cache import FeatureCache
from trainer.use.cached import cached_features, cached_held_out
from trainer.use.distributed import Processes
from trainer.use.features import SegmentFeatures
from trainer.use.held_out import held_out_figures
from trainer.use.loop import Schedule, train
from trainer.use.photos import Collection, collect
from trainer.use.recipe import Recipe
from trainer.use.ridge import fit_ridge
from trainer.use.run import Request, Watch, check_crop, run_cache, run_texts
from trainer.use.texts import TextBank
from usearch.errors import InputError

FIGURES = ("loss", "naming", "recall@1", "recall@10")


@dataclass(frozen=True, slots=True)
class Variant:
    """A head to train.

    Attributes:
        table: Which comparison it belongs to: "backbones", "class tokens", "blocks".
        name: What it is given.
        shape: Its architecture.
    """

    table: str
    name: str
    shape: HeadShape


@dataclass(frozen=True, slots=True)
class AblationRow:
    """What a variant came to.

    Attributes:
        variant: The head; of the ridge, the table is "closed form".
        parameters: Numbers that were trained, or solved for.
        seeds: How many times it was trained.
        mean: Of each of `FIGURES` the mean over the seeds, on held-out photos.
        spread: Of each the standard deviation over the seeds; 0 for a single one.
        segments: Held-out segments.
        texts: Names among which they are named.
    """

    variant: Variant
    parameters: int
    seeds: int
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    segments: int
    texts: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "table": self.variant.table,
            "name": self.variant.name,
            "shape": self.variant.shape.to_json(),
            "parameters": self.parameters,
            "seeds": self.seeds,
            "mean": dict(self.mean),
            "spread": dict(self.spread),
            "segments": self.segments,
            "texts": self.texts,
        }


def variants_of(whole: HeadShape) -> list[Variant]:
    """The heads of the ablation, the one with everything first.

    Args:
        whole: The head with all backbones, blocks and class tokens.
    """
    both = " + ".join(b.name for b in whole.branches)
    several = len(whole.branches) > 1
    out = [Variant("backbones", both, whole)]
    if several:
        out += [
            Variant("backbones", f"{b.name} only", HeadShape((b,), whole.dim))
            for b in whole.branches
        ]
    for given in list(out):
        bare = tuple(replace(b, cls=0) for b in given.shape.branches)
        out.append(
            Variant("class tokens", f"{given.name}, no class token", HeadShape(bare, whole.dim))
        )
    for place, branch in enumerate(whole.branches):
        for last in _counts(len(branch.widths)):
            fewer = list(whole.branches)
            fewer[place] = Branch(branch.name, branch.widths[-last:], branch.out, branch.cls)
            name = f"{both}, last {last} of {branch.name}'s {len(branch.widths)} blocks"
            out.append(Variant("blocks", name, HeadShape(tuple(fewer), whole.dim)))
    return out


def _counts(blocks: int) -> list[int]:
    """Numbers of last blocks to try, besides all of them."""
    return [last for last in (1, 2, 4, 6, 12) if last < blocks]


def select(features: SegmentFeatures, shape: HeadShape) -> SegmentFeatures:
    """What a head of this shape sees: its branches, the last of their blocks."""
    pooled = {b.name: features.pooled[b.name][-len(b.widths) :] for b in shape.branches}
    cls = {b.name: features.cls[b.name] for b in shape.branches}
    return replace(features, pooled=pooled, cls=cls)


def ablate(
    cache: FeatureCache,
    collection: Collection,
    whole: HeadShape,
    recipe: Recipe,
    bank: TextBank,
    folder: Path,
    *,
    seeds: int = 1,
    stop: Stop | None = None,
    on_row: Callable[[AblationRow, Sequence[USEHead | FoldedHead]], None] | None = None,
) -> list[AblationRow]:
    """Train every variant on one cache and look at each on the held-out photos.

    A variant that is done in `folder` is not done again.

    Args:
        cache: Filled from the collection, with all blocks of all backbones.
        collection: The photos.
        whole: The head with everything.
        recipe: Of all of them.
        bank: Vectors of the texts.
        folder: Where each variant has its run.
        seeds: How often each is trained; the seed shapes the start of the head, the order of the
            photos and the texts that are drawn, not the cached views.
        stop: Asked whether to end; then the rows so far are given.
        on_row: Told of each row, with its heads.

    Raises:
        InputError: No photo is held out.
    """
    held = cached_held_out(cache, collection)
    if held is None:
        raise InputError(
            "no held-out photo has a segment to compare heads on",
            "about 3 % of photos are held out by their id: give more pairs",
        )
    rows: list[AblationRow] = []

    def add(variant: Variant, heads: Sequence[USEHead | FoldedHead], count: int) -> None:
        seen = select(held, variant.shape)
        found = [held_out_figures(head, seen, bank, recipe.logit_scale) for head in heads]
        rows.append(_row(variant, found, count))
        if on_row is not None:
            on_row(rows[-1], heads)

    for number, variant in enumerate(variants_of(whole)):
        heads: list[USEHead] = []
        for seed in range(recipe.seed, recipe.seed + seeds):
            run = folder / f"{number:02d}-seed-{seed}"
            head = _trained(cache, collection, variant.shape, recipe, seed, bank, run, stop)
            if head is None:
                return rows
            heads.append(head)
        add(variant, heads, sum(p.numel() for p in heads[0].parameters()))
    name = " + ".join(b.name for b in whole.branches)
    ridge, _ = fit_ridge(cache, collection, whole, bank, recipe.logit_scale)
    closed = Variant("closed form", f"{name}, ridge", whole)
    add(closed, [ridge], ridge.matrix.numel() + ridge.offset.numel())
    return rows


def ablate_run(
    request: Request,
    backbones: Backbones,
    seeds: int = 3,
    stop: Stop | None = None,
    watch: Watch | None = None,
    on_row: Callable[[AblationRow], None] | None = None,
) -> tuple[list[AblationRow], bool]:
    """From pairs and backbones to the table: `request.run` keeps the runs and the features.

    Args:
        request: What to train on and how; its cache must be named.
        backbones: All of them, with all the blocks that may be used.
        seeds: As `ablate`.
        stop: As `ablate`.
        watch: Told how far it is.
        on_row: Told of each row.

    Returns:
        The rows, and whether they are all there.

    Raises:
        InputError, UsageError, CheckFailed: As `trainer.use.run.train_run`.
    """
    stop, watch = stop or Stop(), watch or Watch()
    check_crop(request.recipe, backbones)
    watch.on_stage("reading pairs", None)
    collection = collect(request.pairs, class_names=request.recipe.class_names)
    watch.on_stage("encoding texts", collection)
    request.run.mkdir(parents=True, exist_ok=True)
    bank = run_texts(request, collection, backbones, Processes(), watch)
    cache = run_cache(request, collection, backbones, Processes(), stop, watch)
    assert cache is not None
    watch.on_stage("training", collection)
    whole = shape_for(backbones.towers, backbones.dim)
    rows = ablate(
        cache,
        collection,
        whole,
        request.recipe,
        bank,
        request.run,
        seeds=seeds,
        stop=stop,
        on_row=None if on_row is None else lambda row, _: on_row(row),
    )
    return rows, len(rows) == len(variants_of(whole)) + 1


def _trained(
    cache: FeatureCache,
    collection: Collection,
    shape: HeadShape,
    recipe: Recipe,
    seed: int,
    bank: TextBank,
    run: Path,
    stop: Stop | None,
) -> USEHead | None:
    """A head trained to the end of its plan; None where it was stopped before."""
    own = replace(recipe, seed=seed)
    about = {"recipe": own.to_json(), "shape": shape.to_json(), "cache": cache.key}
    run_state.begin_run(run, about)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = USEHead(shape)
    one = Processes()

    def feed(steps: Iterable[StepPhotos]) -> Iterator[SegmentFeatures]:
        for features in cached_features(cache, collection, steps, one):
            yield select(features, shape)

    plan = plan_of(len(collection.train), own)
    quiet = Schedule(look_every=plan.total + 1)
    done = train(own, plan, collection.train, feed, bank, head, run, schedule=quiet, stop=stop)
    return done.head if done.finished else None


def _row(variant: Variant, found: Sequence[Mapping[str, float]], parameters: int) -> AblationRow:
    values = {key: [figures[key] for figures in found] for key in FIGURES}
    return AblationRow(
        variant,
        parameters,
        len(found),
        {key: statistics.fmean(own) for key, own in values.items()},
        {key: statistics.stdev(own) if len(own) > 1 else 0.0 for key, own in values.items()},
        int(found[0]["segments"]),
        int(found[0]["texts"]),
    )
