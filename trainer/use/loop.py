"""The training loop: features in, a head out, and a run on disk that can always go on."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import tee
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from indexer.embedders.head import USEHead
from indexer.interrupts import Stop
from trainer.use import run_state
from trainer.use.batches import Plan, StepPhotos, draw_texts, equal_texts, hard_negatives, steps_of
from trainer.use.distributed import (
    Processes,
    any_process,
    gather_objects,
    gather_rows,
    sum_gradients,
)
from trainer.use.features import SegmentFeatures, segment_vectors
from trainer.use.held_out import held_out_figures
from trainer.use.loss import segment_text_loss
from trainer.use.recipe import MAX_LOGIT_SCALE, Recipe, learning_rate_at
from trainer.use.texts import TextBank
from usearch.errors import CheckFailed
from usearch.records import IntArray

Feed = Callable[[Iterable[StepPhotos]], Iterator[SegmentFeatures]]
"""From the photos of steps to the features of this process's share of them, one item a step."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a run looks up from its steps.

    Attributes:
        look_every: Steps between looks at held-out photos; the last step always is one.
        save_minutes: Minutes between checkpoints; the end always is one. A checkpoint may fall
            on any step: it changes nothing in what follows.
        save_every: Steps between checkpoints as well; 0 leaves it to the clock.
        stop_after: Steps to do now, then stop as if asked to; 0 for all.
    """

    look_every: int = 500
    save_minutes: float = 10.0
    save_every: int = 0
    stop_after: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """How far a run is, for whoever shows it.

    Attributes:
        step: Steps done.
        total: Steps of the run.
        photos: Photos of the last step, over all processes.
        seconds: What the last step took.
        line: The line of `metrics.jsonl` that was written.
    """

    step: int
    total: int
    photos: int
    seconds: float
    line: Mapping[str, Any]


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        head: The head.
        logit_scale: At the end.
        step: Steps done.
        finished: Whether all are; False when it was asked to stop.
        held: The last figures on held-out photos; empty without any.
    """

    head: USEHead
    logit_scale: float
    step: int
    finished: bool
    held: dict[str, float] = field(default_factory=dict)


OnCheckpoint = Callable[[Outcome], None]
"""Called in the first process whenever a checkpoint was written."""


def train(
    recipe: Recipe,
    plan: Plan,
    places: IntArray,
    feed: Feed,
    bank: TextBank,
    head: USEHead,
    run: Path,
    *,
    held: SegmentFeatures | None = None,
    schedule: Schedule | None = None,
    processes: Processes | None = None,
    stop: Stop | None = None,
    on_look: Callable[[Look], None] | None = None,
    on_checkpoint: OnCheckpoint | None = None,
) -> Outcome:
    """Train a head from where its run stands to the end of its plan.

    Args:
        recipe: What to do.
        plan: How many steps.
        places: `Collection.train`: gives the order of the photos.
        feed: Gives features of the photos of steps.
        bank: Vectors of the texts.
        head: Where the run begins; a resumed run begins at its last checkpoint instead.
        run: Folder of the run; see `run_state`.
        held: Features of held-out segments.
        schedule: When to look at them and to write checkpoints.
        processes: This process among those of the run.
        stop: Asked after every step whether to end.
        on_look: Told after every step.
        on_checkpoint: Told after every checkpoint.

    Raises:
        CheckFailed: A loss or gradient is not finite; names step and photos. The last checkpoint
            stays, and is from before.
    """
    schedule, processes, stop = schedule or Schedule(), processes or Processes(), stop or Stop()
    head = head.to(processes.device).train()
    scale = nn.Parameter(torch.tensor(math.log(recipe.logit_scale), device=processes.device))
    optimiser = _optimiser(recipe, head, scale)
    begin = run_state.load_state(run, head, optimiser, scale)
    outcome = Outcome(head, _logit_scale(recipe, scale), begin, begin >= plan.total)
    if processes.first:
        run_state.cut_metrics(run, begin)
        looked = [line["held"] for line in run_state.read_metrics(run) if "held" in line]
        outcome.held = looked[-1] if looked else {}
    for_feed, shown = tee(steps_of(places, recipe, plan, begin))
    ending = begin + schedule.stop_after if schedule.stop_after else plan.total
    before = saved = time.monotonic()
    log = (run / run_state.METRICS_NAME).open("a") if processes.first else nullcontext()
    with log as file:
        for photos, features in zip(shown, feed(for_feed), strict=True):
            rate = learning_rate_at(photos.step, plan.total, recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad()
            loss, segments = batch_loss(head, scale, features, photos, recipe, bank, processes)
            if segments:
                loss.backward()  # type: ignore[no-untyped-call]
                sum_gradients([*head.parameters(), scale], processes)
                _check_finite(loss, head, features, photos, run, processes)
                optimiser.step()
                with torch.no_grad():
                    scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
            outcome.step, outcome.logit_scale = photos.step + 1, _logit_scale(recipe, scale)
            outcome.finished = outcome.step == plan.total
            now = time.monotonic()
            line: dict[str, Any] = {
                "step": outcome.step,
                "epoch": photos.epoch,
                "loss": loss.item(),
                "learning_rate": rate,
                "logit_scale": outcome.logit_scale,
                "segments": segments,
                "seconds": round(now - before, 4),
            }
            if held is not None and (outcome.finished or outcome.step % schedule.look_every == 0):
                outcome.held = held_out_figures(head, held, bank, outcome.logit_scale)
                line["held"] = outcome.held
            if file is not None:
                file.write(json.dumps(line) + "\n")
                file.flush()
            ends = outcome.step >= ending or any_process(stop.asked(), processes)
            due = schedule.save_every and outcome.step % schedule.save_every == 0
            late = time.monotonic() - saved >= 60 * schedule.save_minutes
            if processes.first and (outcome.finished or ends or due or late):
                run_state.save_state(run, outcome.step, head, optimiser, scale)
                if on_checkpoint is not None:
                    on_checkpoint(outcome)
                saved = time.monotonic()
            if on_look is not None:
                on_look(Look(outcome.step, plan.total, len(photos.rows), now - before, line))
            before = now
            if ends:
                break
    head.eval()
    return outcome


def _optimiser(recipe: Recipe, head: USEHead, scale: nn.Parameter) -> torch.optim.Optimizer:
    """AdamW; the logit scale is learned only where the recipe says so, and never decays."""
    scale.requires_grad_(recipe.learn_scale)
    groups: list[dict[str, Any]] = [{"params": list(head.parameters())}]
    if recipe.learn_scale:
        groups.append({"params": [scale], "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _logit_scale(recipe: Recipe, scale: Tensor) -> float:
    return float(scale.detach().exp()) if recipe.learn_scale else recipe.logit_scale


def batch_loss(
    head: USEHead,
    scale: Tensor,
    features: SegmentFeatures,
    photos: StepPhotos,
    recipe: Recipe,
    bank: TextBank,
    processes: Processes,
) -> tuple[Tensor, int]:
    """The loss over the segments of all processes, and how many they are.

    Only this process's segments carry gradients. Of the logit scale, which enters once and not
    once a segment, the gradient is the first process's. Without any segment the loss is 0.

    Args:
        head: The head.
        scale: Logarithm of the logit scale.
        features: This process's share of the batch.
        photos: The photos of the step.
        recipe: The options of the loss.
        bank: Vectors of the texts.
        processes: This process among all.
    """
    own = (features.texts, draw_texts(features, photos.epoch, recipe, bank))
    parts = gather_objects(own, processes)
    texts = [true for part, _ in parts for true in part]
    drawn = [row for _, part in parts for row in part]
    if not texts:
        return torch.zeros((), device=processes.device), 0
    counts = [len(part) for _, part in parts]
    vectors = gather_rows(segment_vectors(head, features), counts, processes)
    same = equal_texts(texts, drawn, bank).to(vectors.device) if recipe.mask_equal else None
    further, allowed = None, None
    if recipe.hard_negatives:
        further, allowed = hard_negatives(texts, drawn, photos.step, recipe, bank, vectors.device)
    loss = segment_text_loss(
        vectors,
        bank.vectors(drawn, vectors.device),
        (scale if processes.first else scale.detach()).exp(),
        same,
        further,
        allowed,
    )
    return loss, len(texts)


def _check_finite(
    loss: Tensor,
    head: USEHead,
    features: SegmentFeatures,
    photos: StepPhotos,
    run: Path,
    processes: Processes,
) -> None:
    """Refuse to take a step that would spoil the weights."""
    norms = [p.grad.norm() for p in head.parameters() if p.grad is not None]
    if bool(torch.isfinite(loss)) and bool(torch.isfinite(torch.stack(norms).sum())):
        return
    spoiled = sorted({p for part in gather_objects(_spoiled(features), processes) for p in part})
    if spoiled:
        why = f"the backbones give numbers that are not finite for photo {', '.join(spoiled[:3])}"
        hint = "look at that photo; with --precision bf16, try fp32"
    else:
        seen = sorted({p for part in gather_objects(features.photos, processes) for p in part})
        more = f" and {len(seen) - 3} more" if len(seen) > 3 else ""
        why = f"its batch is of photos {', '.join(seen[:3])}{more}"
        hint = "a smaller --learning-rate helps where losses grew before; see metrics.jsonl"
    kept = run_state.states(run)
    stays = f"the checkpoint {kept[-1]} is kept" if kept else "there is no checkpoint yet"
    raise CheckFailed(
        f"step {photos.step + 1}: the loss is {loss.item():g} or its gradient is not finite; "
        f"{why}; {stays}",
        hint,
    )


def _spoiled(features: SegmentFeatures) -> list[str]:
    """Photos whose features are not finite."""
    columns = [x for blocks in features.pooled.values() for x in blocks] + [*features.cls.values()]
    bad = torch.stack([~torch.isfinite(x).all(-1) for x in columns]).any(0)
    return [photo for photo, is_bad in zip(features.photos, bad.tolist(), strict=True) if is_bad]
