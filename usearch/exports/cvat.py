"""CVAT for images 1.1: one XML file. Its run lengths go row by row within the segment's box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from usearch import masks
from usearch.exports.photo_masks import box_and_mask
from usearch.exports.polygons import TOLERANCE, outer_polygons
from usearch.exports.sources import ExportedPhoto, ExportedSegment, Progress, Source
from usearch.render.safe_text import json_name

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTES = {"score": "text", "segment": "text", "parent": "text"}


def write_cvat(
    out: IO[bytes],
    source: Source,
    *,
    polygons: bool = False,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> int:
    """Write an export; see `usearch.exports.coco.write_coco` for the arguments.

    Returns:
        How many segments were written.
    """
    out.write(_head(source).encode())
    written = 0
    for number, (photo, segments) in enumerate(source.segments()):
        name = quoteattr(xml_text(json_name(photo.name)))
        out.write(
            f'  <image id="{number}" name={name} width="{photo.width}" '
            f'height="{photo.height}">\n'.encode()
        )
        # CVAT shows what comes later above what comes before: parts above their wholes.
        for order, segment in enumerate(sorted(segments, key=lambda s: s.depth)):
            label = quoteattr(xml_text(json_name(source.labels[segment.label])))
            facts = _attributes(segment)
            for shape in _shapes(photo, segment, polygons, tolerance):
                tag = shape.partition(" ")[0]
                out.write(
                    f'    <{shape} label={label} source="auto" occluded="0" z_order="{order}">\n'
                    f"{facts}    </{tag}>\n".encode()
                )
            written += 1
            if progress is not None:
                progress(written)
        out.write(b"  </image>\n")
    out.write(b"</annotations>\n")
    return written


def _head(source: Source) -> str:
    attributes = "".join(
        f"<attribute><name>{name}</name><mutable>False</mutable><input_type>{kind}</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for name, kind in _ATTRIBUTES.items()
    )
    labels = "".join(
        f"          <label><name>{escape(xml_text(json_name(label)))}</name>"
        f"<attributes>{attributes}</attributes></label>\n"
        for label in source.labels
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        "  <meta>\n    <task>\n      <name>usearch</name>\n      <mode>annotation</mode>\n"
        f"      <labels>\n{labels}      </labels>\n    </task>\n  </meta>\n"
    )


def _attributes(segment: ExportedSegment) -> str:
    values = {"score": f"{segment.score:.6f}", "segment": str(segment.segment)}
    if segment.parent is not None:
        values["parent"] = str(segment.parent)
    return "".join(
        f'      <attribute name="{name}">{value}</attribute>\n' for name, value in values.items()
    )


def _shapes(
    photo: ExportedPhoto, segment: ExportedSegment, polygons: bool, tolerance: float
) -> Iterator[str]:
    """Name and own attributes of the elements of one segment."""
    if polygons:
        # Polygons of one segment are a group, whose number only has to be its own.
        group = segment.segment % 2**31 + 1
        for line in outer_polygons(segment, (photo.height, photo.width), tolerance):
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in line.tolist())
            yield f'polygon points="{points}" group_id="{group}"'
        return
    (x0, y0, x1, y1), inside = box_and_mask(photo, segment)
    # Column by column of the transposed mask is row by row.
    runs = ", ".join(map(str, masks.mask_to_counts(inside.T).tolist()))
    yield f'mask rle="{runs}" left="{x0}" top="{y0}" width="{x1 - x0}" height="{y1 - y0}"'


def xml_text(text: str) -> str:
    """Text that XML can hold: what it cannot, such as control characters, becomes U+FFFD."""
    return _NO_XML.sub("\ufffd", text)
