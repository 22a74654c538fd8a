"""A whole run: pairs and backbones in, a folder with a head that can be used at once out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from indexer.embedders.checkpoint import save_head
from indexer.embedders.head import HeadShape, USEHead
from indexer.embedders.towers import ClipTower, InputSize, TimmTower
from indexer.embedders.use import shape_for
from indexer.interrupts import Stop
from trainer.use import run_state
from trainer.use.backbones import Backbones
from trainer.use.batches import Plan, StepPhotos, plan_of
from trainer.use.cache import FeatureCache, cache_key
from trainer.use.cache_writer import CACHED_AT_A_TIME, write_cache
from trainer.use.cached import cached_features, cached_held_out
from trainer.use.card import run_card
from trainer.use.curve import draw_curve
from trainer.use.direct import direct_features, held_out_features
from trainer.use.distributed import Processes, gather_objects
from trainer.use.features import Precision, SegmentFeatures
from trainer.use.loop import Feed, Look, Outcome, Schedule, train
from trainer.use.photos import Collection, collect
from trainer.use.recipe import Recipe
from trainer.use.ridge import warm_start
from trainer.use.texts import TextBank, text_bank
from usearch.errors import UsageError

FORMAT = 1

Stage = Literal[
    "reading pairs", "encoding texts", "caching features", "held-out photos", "fitting", "training"
]


@dataclass(frozen=True, slots=True)
class Request:
    """What to train, on what, and how to go about it.

    Attributes:
        pairs: Files or folders of pairs.
        run: Folder of the run.
        recipe: What shapes the result.
        cls: Whether the head sees class tokens; the paper's ablation leaves them out.
        precision: What the backbones compute in.
        micro_batch: Most photos at a time in a backbone; 0 for all of a step.
        workers: Threads that make views.
        compiled: Run the backbones' blocks through torch.compile.
        schedule: When to look at held-out photos and to write checkpoints.
        cache: Folder of features to train on, filled first; None runs the backbones every step.
        views: Views of each photo in the cache.
        warm_start: Begin as the ridge regression on the cache (`trainer.use.ridge`).
    """

    pairs: tuple[Path, ...]
    run: Path
    recipe: Recipe
    cls: bool = True
    precision: Precision = "fp32"
    micro_batch: int = 0
    workers: int = 2
    compiled: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    cache: Path | None = None
    views: int = 1
    warm_start: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how far a run is; nobody by default."""

    on_stage: Callable[[Stage, Collection | None], None] = lambda stage, collection: None
    on_texts: Callable[[int, int], None] = lambda done, total: None
    on_look: Callable[[Look], None] = lambda look: None
    on_cached: Callable[[int, int], None] = lambda done, total: None


def train_run(
    request: Request,
    backbones: Backbones,
    processes: Processes | None = None,
    stop: Stop | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Begin a run, or go on with it, and leave a head in its folder.

    Raises:
        InputError: Pairs cannot be used.
        UsageError: The folder holds another run; the crop does not suit the backbones; a batch
            is smaller than the number of processes.
        CheckFailed: As `trainer.use.loop.train`.
        StoreBusy: Another process is at work on this run.
    """
    processes, stop, watch = processes or Processes(), stop or Stop(), watch or Watch()
    recipe = request.recipe
    check_crop(recipe, backbones)
    if request.compiled:
        _compile(backbones)
    watch.on_stage("reading pairs", None)
    collection = collect(request.pairs, class_names=recipe.class_names)
    plan = plan_of(len(collection.train), recipe)
    if plan.batch < processes.count:
        raise UsageError(f"{processes.count} processes share batches of {plan.batch} photos")
    shape = shape_for(backbones.towers, backbones.dim, cls=request.cls)
    if processes.first:
        run_state.begin_run(request.run, _about(request, collection, backbones, shape))
    with run_state.locked(request.run) if processes.first else nullcontext():
        return _train(request, collection, backbones, plan, shape, processes, stop, watch)


def _train(
    request: Request,
    collection: Collection,
    backbones: Backbones,
    plan: Plan,
    shape: HeadShape,
    processes: Processes,
    stop: Stop,
    watch: Watch,
) -> Outcome:
    recipe = request.recipe
    watch.on_stage("encoding texts", collection)
    bank = run_texts(request, collection, backbones, processes, watch)
    cache = run_cache(request, collection, backbones, processes, stop, watch)
    watch.on_stage("held-out photos", collection)
    feed, held = _material(request, collection, backbones, processes, cache)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        head = USEHead(shape)
    if request.warm_start and cache is not None and not run_state.states(request.run):
        watch.on_stage("fitting", collection)
        warm_start(head, cache, collection, bank, recipe.logit_scale, processes)
    watch.on_stage("training", collection)

    def keep(outcome: Outcome) -> None:
        _keep(request, collection, backbones, plan, outcome)

    outcome = train(
        recipe,
        plan,
        collection.train,
        feed,
        bank,
        head,
        request.run,
        held=held,
        schedule=request.schedule,
        processes=processes,
        stop=stop,
        on_look=watch.on_look,
        on_checkpoint=keep,
    )
    if processes.first and not (request.run / "head.json").exists():
        keep(outcome)
    return outcome


def check_crop(recipe: Recipe, backbones: Backbones) -> None:
    """Raise a UsageError where the crop is no multiple of a tower's patch."""
    for branch, tower in backbones.towers.items():
        if recipe.crop % tower.patch:
            raise UsageError(
                f"crops of {recipe.crop} pixels do not divide into the patches of {tower.patch} "
                f"that {branch} has",
                f"--crop {max(1, round(recipe.crop / tower.patch)) * tower.patch}",
            )


def _compile(backbones: Backbones) -> None:
    """Compile each block for itself: one short graph, reused by all blocks of a tower."""
    for tower in backbones.towers.values():
        blocks: Any = ()
        if isinstance(tower, ClipTower):
            blocks = tower.visual.transformer.resblocks
        elif isinstance(tower, TimmTower):
            blocks = tower.vit.blocks
        for block in blocks:
            block.compile()


def run_cache(
    request: Request,
    collection: Collection,
    backbones: Backbones,
    processes: Processes,
    stop: Stop,
    watch: Watch,
) -> FeatureCache | None:
    """The features to train on, made where they are missing; None without a cache.

    Raises:
        KeyboardInterrupt: It was asked to end; the shards that are done stay.
    """
    if request.cache is None:
        return None

    def on_photos(done: int, total: int) -> None:
        watch.on_cached(done, total)
        if stop.asked():
            raise KeyboardInterrupt

    key = cache_key(backbones.towers, request.recipe, collection, request.views, request.precision)
    watch.on_stage("caching features", collection)
    return write_cache(
        request.cache,
        key,
        backbones.towers,
        collection,
        request.recipe,
        micro_batch=request.micro_batch or CACHED_AT_A_TIME,
        processes=processes,
        on_photos=on_photos,
    )


def _about(
    request: Request, collection: Collection, backbones: Backbones, shape: HeadShape
) -> dict[str, Any]:
    """What makes this run this run: another value anywhere would be another curve."""
    return {
        "format": FORMAT,
        "recipe": request.recipe.to_json(),
        "precision": request.precision,
        "backbones": {name: dict(values) for name, values in backbones.identities.items()},
        "shape": shape.to_json(),
        "pairs": {
            "fingerprint": collection.fingerprint,
            "photos": len(collection.train),
            "held_out": len(collection.held),
        },
        **({"cached_views": request.views} if request.cache else {}),
        **({"warm_start": "ridge"} if request.warm_start else {}),
    }


def run_texts(
    request: Request,
    collection: Collection,
    backbones: Backbones,
    processes: Processes,
    watch: Watch,
) -> TextBank:
    """The texts' vectors: the first process makes them, the others read them."""

    def made() -> TextBank:
        return text_bank(
            collection.texts,
            collection.held_texts,
            backbones.encoder,
            request.recipe.templates,
            backbones.text,
            request.run / run_state.TEXTS_NAME,
            watch.on_texts,
        )

    if processes.first:
        bank = made()
        gather_objects("texts are made", processes)
        return bank
    gather_objects("texts are made", processes)
    return made()


def _material(
    request: Request,
    collection: Collection,
    backbones: Backbones,
    processes: Processes,
    cache: FeatureCache | None,
) -> tuple[Feed, SegmentFeatures | None]:
    """Features of steps, and of held-out photos (in the first process, which looks at them)."""
    if cache is not None:
        held = cached_held_out(cache, collection, processes.device) if processes.first else None
        return partial(cached_features, cache, collection, processes=processes), held

    def feed(steps: Iterable[StepPhotos]) -> Iterator[SegmentFeatures]:
        return direct_features(
            collection,
            backbones.towers,
            request.recipe,
            steps,
            processes,
            micro_batch=request.micro_batch,
            precision=request.precision,
            workers=request.workers,
        )

    if not processes.first:
        return feed, None
    return feed, held_out_features(
        collection,
        backbones.towers,
        request.recipe,
        precision=request.precision,
        device=processes.device,
    )


def _keep(
    request: Request,
    collection: Collection,
    backbones: Backbones,
    plan: Plan,
    outcome: Outcome,
) -> None:
    """Write the head with its card, and the curve."""
    lines = run_state.read_metrics(request.run)
    losses = [line["loss"] for line in lines[-50:]]
    metrics: dict[str, Any] = {
        "step": outcome.step,
        "steps": plan.total,
        "loss": sum(losses) / len(losses) if losses else None,
        "held_out": next((line["held"] for line in reversed(lines) if "held" in line), None),
    }
    crop = request.recipe.crop
    card = run_card(
        outcome.head.shape,
        towers=backbones.identities,
        files={branch: path.name for branch, path in backbones.files.items()},
        size=InputSize(crop, 2 * crop),
        data=collection.sources,
        recipe={**request.recipe.to_json(), "precision": request.precision},
        metrics=metrics,
        logit_scale=outcome.logit_scale,
        templates=request.recipe.templates,
        held=collection.held_sources,
    )
    save_head(request.run, outcome.head, card, backbones.files)
    title = f"{request.run.name}: {', '.join(backbones.towers)}, {plan.batch} photos a step"
    draw_curve(lines, request.run / "curve.png", title)
