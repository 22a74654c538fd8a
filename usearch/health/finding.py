"""One fact about an installation, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]
"""In order; worth knowing; something that does not work, or soon will not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact.

    Attributes:
        topic: What it is about, a word or two.
        state: How it is.
        said: The fact, one line.
        advice: What to do about it, one line; "" when nothing.
    """

    topic: str
    state: State
    said: str
    advice: str = ""
