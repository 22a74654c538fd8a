"""How much one request may ask for. Part of the API's description (openapi.json)."""

from __future__ import annotations

from dataclasses import dataclass

THUMBNAIL_SIDES = (256, 512)
IMAGE_SIDES = (1024, 2048)
"""Longest sides, in pixels, in which pictures are given: few, so that they can be kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests.

    Attributes:
        json_bytes: Of a request's body, but for uploads.
        upload_bytes: Of an uploaded picture.
        upload_pixels: Of an uploaded picture.
        uploads: Pictures kept at once; the oldest goes.
        text: Characters of one text.
        where: Characters of a filter.
        terms: Terms of a question, those to keep away from included.
        hits: Hits in one answer.
        reach: Last hit that can be paged to.
        classes: Names of classes of a class map.
        seconds: A request may take; then the answer is 503.
        picture_seconds: The same for a question with a picture, which the network has to see.
        waiting: Requests under way at once; one more gets 503.
        threads: Threads that answer questions, and as many that read pictures.
    """

    json_bytes: int = 64 << 10
    upload_bytes: int = 32 << 20
    upload_pixels: int = 60_000_000
    uploads: int = 16
    text: int = 500
    where: int = 2_000
    terms: int = 16
    hits: int = 200
    reach: int = 2_000
    classes: int = 250
    seconds: float = 20.0
    picture_seconds: float = 90.0
    waiting: int = 64
    threads: int = 2
