"""Filters: a small language over what the store knows of photos and segments.

    parse_filter('area > 10% and path ~ "2024/*" and not touches_border')

`docs/filters.md` describes it for users. Text becomes tokens (`tokens`), tokens a tree
(`parser`, `tree`), and the tree is evaluated over columns of the store (`evaluate`). Nothing
in a filter is ever run, or pasted into another language.
"""

from __future__ import annotations

from usearch.filters.evaluate import matching_rows
from usearch.filters.parser import parse_filter
from usearch.filters.tree import Filter

__all__ = ["Filter", "matching_rows", "parse_filter"]
