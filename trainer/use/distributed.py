"""Several processes on one batch, as `torchrun` starts them: the same gradients as one process.

Each process runs the backbones over its share of a batch's photos and computes its segments'
vectors. Vectors and texts are then gathered, and every process computes the whole loss with the
others' vectors as constants; the sum of all gradients is that of one process with the whole batch,
which one exchange of the head's gradients gives. (A loss on each process's own segments would
have fewer negatives, and the mean of such losses is another loss.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from usearch.errors import UsageError

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)
"""How long the others wait for the first process, which encodes all texts alone."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of the run.

    Attributes:
        rank: From 0.
        count: How many there are.
        device: Where this one computes.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the other processes if `torchrun` started this one, else be alone.

    Args:
        device: "cpu", "cuda", "mps"; of "cuda" each process takes the one of its own number.

    Raises:
        UsageError: The environment names a rank but no way to the others.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count <= 1:
        yield Processes(device=device)
        return
    if "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        raise UsageError("WORLD_SIZE is set, but not RANK and MASTER_ADDR", "start with torchrun")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    backend = "nccl" if device.startswith("cuda") else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()


def share_of(items: Sequence[T], processes: Processes) -> Sequence[T]:
    """This process's part of a batch: consecutive items, parts that differ by one at most."""
    edges = [len(items) * rank // processes.count for rank in range(processes.count + 1)]
    return items[edges[processes.rank] : edges[processes.rank + 1]]


def gather_objects(own: T, processes: Processes) -> list[T]:
    """What each process has, in the order of ranks."""
    if processes.count == 1:
        return [own]
    found: list[Any] = [None] * processes.count
    distributed.all_gather_object(found, own)
    return found


def gather_rows(own: Tensor, counts: Sequence[int], processes: Processes) -> Tensor:
    """Rows of all processes in the order of ranks; only this process's own carry gradients.

    Args:
        own: [counts[rank], D].
        counts: Rows of each process.
        processes: All of them.
    """
    if processes.count == 1:
        return own
    padded = own.new_zeros(max(counts), *own.shape[1:])
    padded[: len(own)] = own.detach()
    found = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(found, padded)
    parts = [rows[:count] for rows, count in zip(found, counts, strict=True)]
    parts[processes.rank] = own
    return torch.cat(parts)


@torch.no_grad()
def sum_gradients(parameters: Iterable[nn.Parameter], processes: Processes) -> None:
    """Replace each gradient by the sum over all processes, in one exchange."""
    if processes.count == 1:
        return
    own = list(parameters)
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in own])
    distributed.all_reduce(flat)
    parts = torch.split(flat, [p.numel() for p in own])
    for parameter, part in zip(own, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def any_process(asked: bool, processes: Processes) -> bool:
    """Whether any process says yes, so that all end at the same step."""
    if processes.count == 1:
        return asked
    flag = torch.tensor([float(asked)], device=processes.device)
    distributed.all_reduce(flag)
    return bool(flag.item() > 0)
