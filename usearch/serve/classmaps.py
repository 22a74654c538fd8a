"""Class maps of stored photos: no pixel is decoded, and no network runs but the text's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from usearch import classify
from usearch.errors import InputError, UsageError
from usearch.masks import rle_to_counts, segments_from_counts
from usearch.render.palette import class_colours, png_palette
from usearch.serve.problems import Problem, bad_request
from usearch.text.class_lists import ClassList, parse_classes
from usearch.text.embed import embed_names

if TYPE_CHECKING:
    from usearch.classify import ClassMap
    from usearch.opened import OpenStore
    from usearch.records import Segments
    from usearch.store import Snapshot
    from usearch.store.parts import RowArray


def listed_classes(lines: Sequence[str], most: int) -> ClassList:
    """Classes of a request, one a line as in a class file: `name, synonym, ...`.

    Raises:
        Problem: 400, they are none, too many, or malformed.
    """
    try:
        classes = parse_classes(lines, "the class list")
    except (InputError, UsageError) as problem:
        raise bad_request(problem.message, problem.hint) from None
    if len(classes) > most:
        raise bad_request(f"{len(classes)} classes; {most} are the limit")
    return classes


def photo_class_map(opened: OpenStore, photo_id: int, classes: ClassList) -> ClassMap:
    """The class of each point of a photo's mask grid, uint8 [h, w]; see `usearch.classify`.

    Raises:
        Problem: 404, the photo has no segments in the store.
    """
    rows = opened.snapshot.rows_of_photo(photo_id)
    if not len(rows):
        raise Problem(404, "not_found", f"photo {photo_id} has no segments")
    flat = [name for names in classes.names for name in names]
    vectors = embed_names(opened.encoder, flat, opened.templates, opened.cache_dir)
    ends = np.cumsum([len(names) for names in classes.names])[:-1]
    probabilities = classify.segment_probabilities(
        opened.snapshot.vectors(rows), np.split(vectors, ends), opened.calibration.logit_scale
    )
    return classify.class_map(stored_masks(opened.snapshot, rows), probabilities)


def stored_masks(snapshot: Snapshot, rows: RowArray) -> Segments:
    """Segments of one photo as the segmenter gave them, from their rows (at least one)."""
    table = snapshot.stored_segments(rows)
    size = int(table["mask_h"][0].as_py()), int(table["mask_w"][0].as_py())
    counts = [rle_to_counts(_as_bytes(rle), size) for rle in table["rle"].to_pylist()]
    return segments_from_counts(counts, size, table["score"].to_numpy())


def class_map_png(labels: ClassMap, n_classes: int) -> bytes:
    """An indexed PNG in the classes' colours; where there is no class it is transparent."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(labels.astype(np.uint8), "P")
    picture.putpalette(png_palette(n_classes))
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=classify.no_class_value(n_classes))
    return out.getvalue()


def class_map_values(labels: ClassMap, classes: ClassList) -> dict[str, Any]:
    """Size, covered share, and the classes with their colours and shares, largest first."""
    shares = classify.class_shares(labels, len(classes))
    colours = class_colours(len(classes))
    found = [
        {
            "value": value,
            "name": title,
            "colour": "#" + bytes(colours[value]).hex(),
            "share": round(float(shares[value]), 6),
        }
        for value, title in enumerate(classes.titles)
    ]
    return {
        "size": {"width": labels.shape[1], "height": labels.shape[0]},
        "covered_share": round(float(shares.sum()), 6),
        "classes": sorted(found, key=lambda entry: (-entry["share"], entry["value"])),
    }


def _as_bytes(counts: bytes | str) -> bytes:
    return counts if isinstance(counts, bytes) else counts.encode("ascii")
