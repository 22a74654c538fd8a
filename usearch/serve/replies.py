"""Answers as JSON: hits with outlines, photos, segments, what the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usearch.render.hit_lines import hit_values, json_name
from usearch.render.outlines import outline_path

if TYPE_CHECKING:
    from usearch.answers import Answer
    from usearch.hits import Hit
    from usearch.serve.requests import SearchRequest
    from usearch.store import Snapshot
    from usearch.store.parts import PhotoRow


def answer_reply(answer: Answer, request: SearchRequest) -> dict[str, Any]:
    """One page of an answer.

    Args:
        answer: Asked for one more than is needed: that one says whether there is another page.
        request: What was asked.
    """
    hits, more = _page(answer, request)
    return {
        "question": answer.question,
        "photos": answer.photos,
        "segments": answer.segments,
        "cutoff": answer.cutoff,
        "below": answer.below,
        "best": None if answer.best is None else hit_reply(answer.best, masks=False),
        "offset": request.offset,
        "more": more,
        "hits": [hit_reply(hit, masks=request.masks) for hit in hits],
    }


def _page(answer: Answer, request: SearchRequest) -> tuple[list[Hit], bool]:
    """The hits of a page and whether there are more; pages of groups are counted in photos."""
    first, last = request.offset, request.offset + request.k
    if not request.group:
        return list(answer.hits[first:last]), len(answer.hits) > last
    photos = list(dict.fromkeys(hit.photo for hit in answer.hits))
    shown = set(photos[first:last])
    return [hit for hit in answer.hits if hit.photo in shown], len(photos) > last


def hit_reply(hit: Hit, *, masks: bool) -> dict[str, Any]:
    """A hit as `usearch query --json` prints it, with its path in the folder and its outline."""
    values = hit_values(hit)
    if not masks:
        del values["rle"]
    values["path"] = json_name(hit.path)
    values["outline"] = outline_path(hit.rle, hit.mask_size, hit.width, hit.height)
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


def segments_reply(snapshot: Snapshot, photo: PhotoRow) -> dict[str, Any]:
    """A photo's segments with their outlines, in the order of their ids."""
    rows = snapshot.rows_of_photo(photo.photo_id)
    found = []
    for row in snapshot.stored_segments(rows).to_pylist():
        rle, size = row["rle"], (row["mask_h"], row["mask_w"])
        counts = rle if isinstance(rle, bytes) else rle.encode("ascii")
        found.append(
            {
                "segment": row["segment_id"],
                "box": [round(float(row[name]), 2) for name in ("x0", "y0", "x1", "y1")],
                "area_share": round(float(row["area_share"]), 6),
                "segmenter_score": round(float(row["score"]), 6),
                "parent": row["parent"],
                "depth": row["depth"],
                "outline": outline_path(counts, size, photo.width, photo.height),
            }
        )
    return {
        "photo": photo.photo_id,
        "photo_size": {"width": photo.width, "height": photo.height},
        "segments": found,
    }
