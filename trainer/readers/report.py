"""What a reader understood of a source, and what it could not use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from usearch.errors import InputError

SHOWN = 20
"""Problems that are kept word by word; the others are only counted."""


@dataclass
class Report:
    """Notes of one reading.

    Attributes:
        skip_invalid: Leave wrong entries out instead of refusing the source.
        tell: Called with each line of `understood` as soon as it is known.
        understood: How the source was read, one line each.
        problems: The first wrong entries, each with file, entry and field.
        n_problems: How many there were.
        left_out: What was left out or changed although nothing is wrong with the source, such as
            empty masks: {what: how many}.
    """

    skip_invalid: bool = False
    tell: Callable[[str], None] | None = None
    understood: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    n_problems: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def say(self, line: str) -> None:
        """Note how something was read."""
        self.understood.append(line)
        if self.tell is not None:
            self.tell(line)

    def problem(self, where: str, what: str) -> None:
        """Note a wrong entry.

        Raises:
            InputError: Wrong entries are not to be skipped, and there are `SHOWN` of them.
        """
        self.n_problems += 1
        if len(self.problems) < SHOWN:
            self.problems.append(f"{where}: {what}")
        if not self.skip_invalid and self.n_problems >= SHOWN:
            self.refuse()

    @property
    def in_order(self) -> bool:
        """Whether what is read may be used: nothing is wrong, or what is wrong is skipped."""
        return self.skip_invalid or not self.n_problems

    def refuse(self) -> None:
        """Raise when there were problems that are not to be skipped.

        Raises:
            InputError: All problems that were kept, the first one in the first line.
        """
        if self.in_order:
            return
        more = "" if self.n_problems < SHOWN else ", and reading ended there"
        count = "" if self.n_problems == 1 else f" (and {self.n_problems - 1} more problems{more})"
        raise InputError(
            self.problems[0] + count,
            "correct the source, or leave wrong entries out with --skip-invalid",
            "\n".join(self.problems[1:]),
        )
