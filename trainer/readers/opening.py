"""A source of any form, opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.pairs import PairImage, read_pairs
from trainer.readers.options import Options
from trainer.readers.report import Report


def open_pairs(
    source: str | Path, *, report: Report | None = None, **options: Any
) -> Iterator[PairImage]:
    """Photos of a source with their segments and texts.

    Args:
        source: A file or folder of one of the forms of `trainer.readers.options.FORMS`.
        report: Takes what was understood and what was left out.
        options: Fields of `Options`.

    Raises:
        InputError: The source is of no known form, or has wrong entries that are not skipped;
            each with file, entry and field.
        UsageError: Options that make no sense for it.
    """
    Options(**options)
    return read_pairs(Path(source))
