"""Answers as JSON: hits with outlines, photos, segments, what the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usearch.render.hit_lines import hit_values
from usearch.render.safe_text import json_name

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit
    from usearch.serve.outlines import Outlines
    from usearch.serve.requests import SearchRequest
    from usearch.store import Snapshot
    from usearch.store.parts import PhotoRow


def answer_reply(answer: Answer, request: SearchRequest, outlines: Outlines) -> dict[str, Any]:
    """One page of an answer.

    Args:
        answer: Asked for one more than is needed: that one says whether there is another page.
        request: What was asked.
        outlines: Where outlines come from.
    """
    hits, more = _page(answer, request)
    best = answer.best
    return {
        "question": answer.question,
        "photos": answer.photos,
        "segments": answer.segments,
        "cutoff": answer.cutoff,
        "below": answer.below,
        "best": None if best is None else hit_reply(best, outlines.of_hits([best])[0]),
        "offset": request.offset,
        "more": more,
        "hits": [
            hit_reply(hit, outline, masks=request.masks)
            for hit, outline in zip(hits, outlines.of_hits(hits), strict=True)
        ],
    }


def _page(answer: Answer, request: SearchRequest) -> tuple[list[Hit], bool]:
    """The hits of a page and whether there are more; pages of groups are counted in photos."""
    first, last = request.offset, request.offset + request.k
    if not request.group:
        return list(answer.hits[first:last]), len(answer.hits) > last
    photos = list(dict.fromkeys(hit.photo for hit in answer.hits))
    shown = set(photos[first:last])
    return [hit for hit in answer.hits if hit.photo in shown], len(photos) > last


def hit_reply(hit: Hit, outline: str, *, masks: bool = False) -> dict[str, Any]:
    """A hit as `usearch query --json` prints it, with its path in the folder and its outline."""
    values = hit_values(hit)
    if not masks:
        del values["rle"]
    values["path"] = json_name(hit.path)
    values["outline"] = outline
    return values


def photo_reply(photo: PhotoRow) -> dict[str, Any]:
    """What is known of a photo."""
    return {
        "photo": photo.photo_id,
        "path": json_name(photo.path),
        "image": json_name(f"{photo.root.rstrip('/')}/{photo.path}"),
        "photo_size": {"width": photo.width, "height": photo.height},
        "bytes": photo.bytes,
        "taken_at": photo.taken_at,
        "camera": photo.camera,
        "status": photo.status,
        "detail": photo.detail,
        "segments": photo.n_segments,
    }


def segments_reply(snapshot: Snapshot, photo: PhotoRow, outlines: Outlines) -> dict[str, Any]:
    """A photo's segments with their outlines, in the order of their ids."""
    rows = snapshot.stored_segments(snapshot.rows_of_photo(photo.photo_id)).to_pylist()
    masks = [
        (_as_bytes(row["rle"]), (row["mask_h"], row["mask_w"]), photo.width, photo.height)
        for row in rows
    ]
    found = [
        {
            "segment": row["segment_id"],
            "box": [round(float(row[name]), 2) for name in ("x0", "y0", "x1", "y1")],
            "area_share": round(float(row["area_share"]), 6),
            "segmenter_score": round(float(row["score"]), 6),
            "parent": row["parent"],
            "depth": row["depth"],
            "outline": outline,
        }
        for row, outline in zip(rows, outlines.of_masks(masks), strict=True)
    ]
    return {
        "photo": photo.photo_id,
        "photo_size": {"width": photo.width, "height": photo.height},
        "segments": found,
    }


def _as_bytes(counts: bytes | str) -> bytes:
    return counts if isinstance(counts, bytes) else counts.encode("ascii")
