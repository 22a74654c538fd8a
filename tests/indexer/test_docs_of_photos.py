"""docs/photos.md and the code name the same reasons and endings."""

import re
from pathlib import Path

from indexer.discovery import PHOTO_SUFFIXES
from indexer.photos import MAX_PIXELS, REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "photos.md").read_text("utf-8")


def test_every_reason_is_explained_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == list(REASONS)


def test_every_ending_is_listed_and_no_other():
    listed = re.search(r"`(jpg jpeg [^`]+)`", PAGE)[1].split()
    assert {f".{ending}" for ending in listed} == PHOTO_SUFFIXES


def test_the_pixel_limit_is_the_one_in_force():
    assert f"({MAX_PIXELS // 10**6} million)" in PAGE
