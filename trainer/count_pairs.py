"""Count what a folder of pairs holds, as Markdown tables.

python -m trainer.count_pairs DIR
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainer.pair_counts import COLUMNS, terms_of
from trainer.pairs import KINDS, PairImage, counts_by, read_pairs
from usearch.errors import UsearchError

_MOST_NAMES = 40


def terms_by_source(images: Iterable[PairImage]) -> dict[str, str]:
    """The stated terms of each source, without addresses; several are joined by " / "."""
    found: dict[str, Counter[str]] = {}
    for image in images:
        found.setdefault(image.source, Counter())[terms_of(image) or "none stated"] += 1
    return {s: " / ".join(t for t, _ in c.most_common()) for s, c in found.items()}


def tables(images: Sequence[PairImage]) -> str:
    """Markdown: photos and segments by source and kind, segments by origin, frequent names."""
    counts = counts_by(images)
    terms = terms_by_source(images)
    head = ["source", "terms stated", "photos", *KINDS]
    lines = [_line(head), _line(["---", "---", *["---:"] * (1 + len(KINDS))])]
    for source in sorted(counts):
        row = counts[source]
        lines.append(_line([source, terms[source], *(f"{row[k]:,}" for k in ("photos", *KINDS))]))
    total = {k: sum(row[k] for row in counts.values()) for k in ("photos", *KINDS)}
    lines.append(_line(["**all**", "", *(f"{total[k]:,}" for k in ("photos", *KINDS))]))
    origins = Counter(s.origin for i in images for s in i.segments if s.kind != "unlabelled")
    lines += ["", _line(["who named it", "segments"]), _line(["---", "---:"])]
    lines += [_line([o, f"{n:,}"]) for o, n in origins.most_common()]
    names = Counter(
        s.texts[0]
        for i in images
        for s in i.segments
        if s.texts and s.kind in ("object", "stuff", "box")
    )
    frequent = ", ".join(f"{n} {c:,}" for n, c in names.most_common(_MOST_NAMES))
    lines += ["", f"{len(names):,} different names of regions; most frequent: {frequent}."]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trainer.count_pairs", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of pairs, or one file")
    folder: Path = parser.parse_args(arguments).folder
    try:
        sys.stdout.write(tables(list(read_pairs(folder, COLUMNS))))
    except UsearchError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n" if error.hint else f"{error.message}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
