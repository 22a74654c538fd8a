"""A run on disk: what it is, how far it came, and how it goes on from there.

    RUN/recipe.json                  recipe, backbones, data: what the run is
    RUN/state/00000500.safetensors   weights, moments and step of the last two checkpoints
    RUN/metrics.jsonl                a line a step, and one a look at held-out photos
    RUN/texts.safetensors            vectors of all texts
    RUN/head.safetensors, head.json  the head for use, see indexer.embedders.checkpoint

Nothing random runs along (trainer.use.batches), so a step, weights and moments are all there is
to a state. A file has its name when it is whole; metrics past the last checkpoint are dropped on
resuming and come again with the same numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from usearch.errors import ModelError, ResourceError, UsageError
from usearch.store.lock import WriteLock

RUN_NAME = "recipe.json"
METRICS_NAME = "metrics.jsonl"
TEXTS_NAME = "texts.safetensors"
_STATES = "state"
_KEPT = 2


def begin_run(run: Path, about: Mapping[str, Any]) -> None:
    """Make the folder of a run, or make sure that it is the folder of this very run.

    Args:
        run: The folder.
        about: What the run is, plain JSON: another value anywhere is another run.

    Raises:
        UsageError: The folder holds another run, or something else.
    """
    path = run / RUN_NAME
    about = json.loads(json.dumps(about))
    if not path.exists():
        if run.is_dir() and any(run.iterdir()):
            raise UsageError(f"{run} is not empty and holds no run", "name a new folder with -o")
        run.mkdir(parents=True, exist_ok=True)
        _write(path, (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "begin another run") from error
    difference = first_difference(before, about)
    if difference is not None:
        where, old, new = difference
        raise UsageError(
            f"{run} holds a run with {where} {old}, now it is {new}",
            "give what the run began with to go on, or name a new folder with -o",
        )


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep other processes out of a run; the lock dies with this one.

    Raises:
        StoreBusy: Another process is at work on it.
    """
    lock = WriteLock(run)
    try:
        yield
    finally:
        lock.release()


def first_difference(before: Any, now: Any, where: str = "") -> tuple[str, str, str] | None:
    """Name and both values of the first place where two JSON values differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*now, *before]):
            found = first_difference(
                before.get(key), now.get(key), f"{where}.{key}" if where else str(key)
            )
            if found is not None:
                return found
        return None
    return None if before == now else (where, json.dumps(before), json.dumps(now))


def save_state(
    run: Path, step: int, head: nn.Module, optimiser: torch.optim.Optimizer, scale: Tensor
) -> Path:
    """Write the state after `step` steps; the newest two stay.

    Raises:
        ResourceError, OSError: The disk refuses; older states stay.
    """
    folder = run / _STATES
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    tensors["scale"] = scale.detach()
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
    path = folder / f"{step:08d}.safetensors"
    partial = path.with_suffix(".partial")
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        save_file(plain, partial, {"step": str(step)})
        _sync(partial)
        partial.replace(path)
    except SafetensorError as error:
        raise ResourceError(
            f"{path} cannot be written: {error}",
            "make room; the same command goes on from the checkpoint before",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    for older in states(run)[:-_KEPT]:
        older.unlink()
    return path


def states(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted((run / _STATES).glob("[0-9]*.safetensors"))


def load_state(run: Path, head: nn.Module, optimiser: torch.optim.Optimizer, scale: Tensor) -> int:
    """Bring head, optimiser and logit scale to the last checkpoint that can be read.

    Returns:
        How many steps were done; 0 where there is no checkpoint.

    Raises:
        ModelError: There are checkpoints, and none can be read.
    """
    failed: Exception | None = None
    for path in reversed(states(run)):
        try:
            with safe_open(path, "pt") as file:
                step = int(file.metadata()["step"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            _restore(tensors, head, optimiser, scale)
            return step
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            failed = error
    if failed is not None:
        raise ModelError(f"no checkpoint of {run} can be read: {failed}", "begin another run")
    return 0


def _restore(
    tensors: Mapping[str, Tensor],
    head: nn.Module,
    optimiser: torch.optim.Optimizer,
    scale: Tensor,
) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimiser":
            number, _, what = rest.partition(".")
            moments.setdefault(int(number), {})[what] = tensor
        elif kind == "head":
            weights[rest] = tensor
    groups = optimiser.state_dict()["param_groups"]
    head.load_state_dict(weights)
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    with torch.no_grad():
        scale.copy_(tensors["scale"])


def cut_metrics(run: Path, step: int) -> None:
    """Drop the lines of steps that a resumed run will do again, and a half-written last one."""
    path = run / METRICS_NAME
    if not path.exists():
        return
    kept = [
        line
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n") and json.loads(line)["step"] <= step
    ]
    _write(path, b"".join(kept))


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics."""
    path = run / METRICS_NAME
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    _sync(partial)
    partial.replace(path)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
