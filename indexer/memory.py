"""Memory and devices: work in batches that shrink when memory runs out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from usearch.errors import ResourceError

T = TypeVar("T")


@dataclass(slots=True)
class BatchSize:
    """The batch size that is known to fit; it only ever shrinks."""

    value: int


def run_in_batches(
    run: Callable[[int, int], T], total: int, batch: BatchSize, what: str
) -> list[T]:
    """Results of `run(start, stop)` over consecutive ranges that cover `range(total)`.

    A range that does not fit into memory is tried again at half its length, down to 1; the
    smaller size is kept in `batch` for the calls that follow.

    Args:
        run: Does the rows start..stop - 1.
        total: Number of rows.
        batch: Largest range to begin with; changed in place.
        what: What a row is, for the message, such as "crops".

    Raises:
        ResourceError: A single row does not fit.
    """
    results: list[T] = []
    start = 0
    while start < total:
        stop = min(start + batch.value, total)
        try:
            results.append(run(start, stop))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if stop - start == 1:
                raise out_of_memory(what) from error
        else:
            start = stop
            continue
        # Out of the except block, so that the failed attempt's tensors are freed by now.
        batch.value = max((stop - start) // 2, 1)
        release_memory()
    return results


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch or Python means that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    # The CPU allocator has no exception class of its own.
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


def out_of_memory(what: str) -> ResourceError:
    """The error for work that does not fit even at its smallest."""
    return ResourceError(
        f"not enough memory for {what}, one at a time",
        "use a smaller model or a smaller input size, or --device cpu",
    )


def release_memory() -> None:
    """Give cached blocks of the accelerator back."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def pick_device(device: str) -> str:
    """The device to use: "auto" is an accelerator where there is one, else the CPU.

    Raises:
        ResourceError: The device asked for is not there.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    index = int(number) if number.isdecimal() else 0
    there = {
        "cpu": not number,
        "cuda": torch.cuda.is_available() and index < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, False):
        raise ResourceError(f"device {device!r} is not available here", "use --device cpu or auto")
    return device
