"""Segment-text pairs: what a model is trained on, and the Parquet form in which they rest.

One row is one photo, as JPEG bytes or as the path of its file, and its labelled segments. A segment
is a mask (COCO compressed RLE at the stored size) or a box, with texts that are true of it.
`texts[0]` is the plain name; the others are synonyms, broader words and descriptions, each with its
own weight. `soft` holds a classifier's guess as names with probabilities: a target to blend, not a
list of truths. A segment with neither is for feature distillation only.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pillow

from indexer.photos import MAX_PIXELS, PhotoError, decode
from indexer.pixels import upright_rgb
from usearch import masks
from usearch.errors import InputError
from usearch.masks import Mask
from usearch.records import Image
from usearch.result_files import make_folder, new_file

Kind = Literal["object", "stuff", "box", "image", "scene", "caption", "unlabelled"]
"""What a segment is.

object: mask of one thing. stuff: mask of all pixels of a name, or a connected part of them.
box: a thing known by its box alone. image: the whole photo, named after the thing it shows.
scene: the whole photo, named after the place. caption: the whole photo with sentences.
unlabelled: a mask without texts.
"""

KINDS: tuple[str, ...] = get_args(Kind)
Box = tuple[float, float, float, float]

FORMAT = "usearch-pairs-1"
_HELD_OUT_OF_1000 = 30

_SEGMENT = pa.struct(
    [
        ("box", pa.list_(pa.float32())),
        ("rle", pa.binary()),
        ("texts", pa.list_(pa.string())),
        ("text_weights", pa.list_(pa.float32())),
        ("soft_texts", pa.list_(pa.string())),
        ("soft_weights", pa.list_(pa.float32())),
        ("weight", pa.float32()),
        ("kind", pa.string()),
        ("origin", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("split", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("jpeg", pa.binary()),
        ("segments", pa.list_(_SEGMENT)),
        ("boundary", pa.binary()),
        ("path", pa.string()),
    ],
    metadata={"format": FORMAT},
)
_MAY_LACK = frozenset({"path"})
"""Columns that files of the first writers do not have."""


@dataclass(frozen=True, slots=True)
class PairSegment:
    """A segment with its texts.

    Attributes:
        kind: One of `KINDS`.
        origin: Where the label comes from: "human" or the teachers' names joined by "+".
        box: x0 y0 x1 y1 in pixels of the stored photo, half-open.
        rle: COCO compressed RLE at the stored size; None where only the box is known.
        texts: Texts that are true of the segment, the plain name first.
        text_weights: One value in (0, 1] a text; how well it names the segment.
        soft: (name, probability) of a classifier, best first; sums to at most 1.
        weight: Trust in the segment and its name, above 0, 1 for a human mask.
    """

    kind: Kind
    origin: str
    box: Box
    rle: bytes | None = None
    texts: tuple[str, ...] = ()
    text_weights: tuple[float, ...] = ()
    soft: tuple[tuple[str, float], ...] = ()
    weight: float = 1.0

    def mask(self, height: int, width: int) -> Mask:
        """Mask, bool [height, width]; the filled box where there is no mask."""
        if self.rle is not None:
            return masks.decode(self.rle, (height, width))
        x0, y0, x1, y1 = self.box
        out = np.zeros((height, width), bool)
        out[int(y0) : max(int(y0) + 1, round(y1)), int(x0) : max(int(x0) + 1, round(x1))] = True
        return out


@dataclass(frozen=True, slots=True)
class PairImage:
    """A photo with its segments.

    Attributes:
        id: Unique name, "source/key".
        source: Collection that the photo is from.
        licence: Terms stated for it.
        jpeg: The photo, JPEG bytes, upright; empty where `path` says which file it is.
        width: Pixels of the stored photo, as shown (EXIF orientation applied).
        height: Pixels of the stored photo, as shown.
        segments: Its segments.
        boundary: PNG, 8 bit, 255 x the share of people who drew a boundary there; or None.
        split: "train" or "held"; see `split_of`.
        path: File of the photo where the pairs hold no bytes of it, else empty. In a Parquet file
            relative to that file's folder, or absolute; resolved when it is read.
    """

    id: str
    source: str
    licence: str
    jpeg: bytes
    width: int
    height: int
    segments: tuple[PairSegment, ...] = ()
    boundary: bytes | None = None
    split: str = field(default="")
    path: str = ""

    def __post_init__(self) -> None:
        if not self.split:
            object.__setattr__(self, "split", split_of(self.id))

    def pixels(self) -> Image:
        """The photo, uint8 [height, width, 3] RGB, from its bytes or its file.

        Raises:
            InputError: It cannot be decoded, or has another size than its masks.
        """
        image = _decode_bytes(self) if self.jpeg else _decode_file(self)
        if image.shape[:2] != (self.height, self.width):
            raise InputError(
                f"photo {self.id}: {image.shape[1]} x {image.shape[0]} pixels, its pairs are for "
                f"{self.width} x {self.height}",
                "the photo was changed after the pairs were made: make them again",
            )
        return image


def _decode_bytes(photo: PairImage) -> Image:
    try:
        with Pillow.open(io.BytesIO(photo.jpeg), formats=("JPEG",)) as picture:
            return upright_rgb(picture, max(picture.size))[0]
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"photo {photo.id}, jpeg: cannot be decoded: {error}") from error


def _decode_file(photo: PairImage) -> Image:
    try:
        return decode(photo.path, max_side=MAX_PIXELS).image
    except PhotoError as error:
        raise InputError(f"photo {photo.id}, path: {photo.path}: {error.detail}") from error


def split_of(photo_id: str) -> str:
    """The part a photo is in: "held" for about 3 %, by a hash of the id, so it never changes."""
    value = int.from_bytes(hashlib.blake2b(photo_id.encode(), digest_size=4).digest(), "big")
    return "held" if value % 1000 < _HELD_OUT_OF_1000 else "train"


def write_pairs(images: Iterable[PairImage], path: Path, row_group_size: int = 128) -> int:
    """Write photos to one Parquet file, replacing it whole; memory stays at one row group.

    Returns:
        How many photos.

    Raises:
        InputError: A record breaks the format (see `check_image`), an id is there twice, or the
            file cannot be written.
    """
    make_folder(path.parent)
    rows: dict[str, int] = {}
    todo = iter(images)
    with (
        new_file(path, force=True) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer,
    ):
        while group := list(islice(todo, row_group_size)):
            for image in group:
                where = f"{path}, row {len(rows)}"
                check_image(image, where)
                if image.id in rows:
                    raise InputError(f"{where}, id: {image.id!r} is row {rows[image.id]} too")
                rows[image.id] = len(rows)
            table = pa.Table.from_pylist([_to_row(i, path.parent) for i in group], SCHEMA)
            writer.write_table(table, row_group_size=row_group_size)
    return len(rows)


def read_pairs(path: Path, columns: Sequence[str] | None = None) -> Iterator[PairImage]:
    """Photos of one Parquet file, or of all `*.parquet` of a folder by name, checked.

    Memory stays at one row group. With `columns`, the others are read as empty (for counting:
    leave out "jpeg"). A photo is its bytes or the path of a file: `PairImage.pixels` reads both.

    Raises:
        InputError: No such file, no pairs file, or a bad record; names file, row and field.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise InputError(
            f"no .parquet files in {path}", "`usearch train pairs` makes them from label files"
        )
    for file in files:
        yield from _read_file(file, columns)


def _read_file(file: Path, columns: Sequence[str] | None) -> Iterator[PairImage]:
    try:
        reader = pq.ParquetFile(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}") from error
    with reader:
        there = reader.schema_arrow.names
        missing = [n for n in SCHEMA.names if n not in there and n not in _MAY_LACK]
        if missing:
            raise InputError(
                f"{file} is no file of segment-text pairs: it lacks the column {missing[0]!r}",
                "`usearch train pairs` makes one from label files",
            )
        row = 0
        wanted = columns and [name for name in columns if name in there]
        for batch in reader.iter_batches(batch_size=64, columns=wanted):
            for record in batch.to_pylist():
                image = _from_row(record, file, row)
                if columns is None:
                    check_image(image, f"{file}, row {row}")
                yield image
                row += 1


def read_row_group(file: Path, group: int) -> list[PairImage]:
    """Photos of one row group of a file, checked: for training, which reads them in any order.

    Raises:
        InputError: As `read_pairs`.
    """
    try:
        with pq.ParquetFile(file) as reader:
            metadata = reader.metadata
            first = sum(metadata.row_group(i).num_rows for i in range(group))
            records = reader.read_row_group(group).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{file} cannot be read as Parquet: {error}") from error
    images = []
    for row, record in enumerate(records, first):
        image = _from_row(record, file, row)
        check_image(image, f"{file}, row {row}")
        images.append(image)
    return images


def check_image(image: PairImage, where: str) -> None:
    """Raise an InputError that names `where` and the field when a record breaks the format."""
    if not image.id:
        raise InputError(f"{where}, id: empty")
    if image.width <= 0 or image.height <= 0:
        raise InputError(f"{where}, width/height: {image.width} x {image.height}")
    if not image.path and not image.jpeg.startswith(b"\xff\xd8"):
        raise InputError(f"{where}, jpeg: not the bytes of a JPEG, and no path is given")
    for i, segment in enumerate(image.segments):
        _check_segment(segment, image, f"{where}, segments[{i}]")


def _check_segment(segment: PairSegment, image: PairImage, where: str) -> None:
    x0, y0, x1, y1 = segment.box
    if not (0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height):
        raise InputError(
            f"{where}.box: {list(segment.box)} is not inside {image.width} x {image.height} pixels"
        )
    if segment.kind not in KINDS:
        raise InputError(f"{where}.kind: {segment.kind!r} is none of {', '.join(KINDS)}")
    if not (np.isfinite(segment.weight) and segment.weight > 0):
        raise InputError(f"{where}.weight: {segment.weight} is not above 0")
    if len(segment.texts) != len(segment.text_weights):
        raise InputError(
            f"{where}.text_weights: {len(segment.text_weights)} values, {len(segment.texts)} texts"
        )
    for text in (*segment.texts, *(t for t, _ in segment.soft)):
        if not text.strip():
            raise InputError(f"{where}.texts: a blank text")
    if segment.kind != "unlabelled" and not segment.texts and not segment.soft:
        raise InputError(f"{where}.texts: none, and its kind is not 'unlabelled'")
    if segment.rle is not None:
        try:
            counts = masks.rle_to_counts(segment.rle, (image.height, image.width))
        except InputError as error:
            raise InputError(f"{where}.rle: {error.message}") from error
        if masks.area(counts) == 0:
            raise InputError(f"{where}.rle: an empty mask")


def _to_row(image: PairImage, folder: Path) -> dict[str, Any]:
    return {
        "id": image.id,
        "source": image.source,
        "licence": image.licence,
        "split": image.split,
        "width": image.width,
        "height": image.height,
        "jpeg": image.jpeg or None,
        "path": _written_path(image.path, folder),
        "boundary": image.boundary,
        "segments": [
            {
                "box": list(s.box),
                "rle": s.rle,
                "texts": list(s.texts),
                "text_weights": list(s.text_weights),
                "soft_texts": [t for t, _ in s.soft],
                "soft_weights": [p for _, p in s.soft],
                "weight": s.weight,
                "kind": s.kind,
                "origin": s.origin,
            }
            for s in image.segments
        ],
    }


def _written_path(path: str, folder: Path) -> str | None:
    """The path of a photo as a file of pairs in `folder` holds it."""
    if not path:
        return None
    full, folder = Path(path).absolute(), folder.absolute()
    return (full.relative_to(folder) if full.is_relative_to(folder) else full).as_posix()


def _from_row(row: Mapping[str, Any], file: Path, number: int) -> PairImage:
    segments = []
    for i, s in enumerate(row.get("segments") or []):
        box = s["box"]
        if box is None or len(box) != 4:
            where = f"{file}, row {number}, segments[{i}].box"
            raise InputError(f"{where}: {box!r} is not four numbers")
        segments.append(
            PairSegment(
                kind=s["kind"],
                origin=s["origin"] or "",
                box=(box[0], box[1], box[2], box[3]),
                rle=s["rle"],
                texts=tuple(s["texts"] or ()),
                text_weights=tuple(s["text_weights"] or ()),
                soft=tuple(zip(s["soft_texts"] or (), s["soft_weights"] or (), strict=True)),
                weight=s["weight"],
            )
        )
    return PairImage(
        id=row.get("id") or "",
        source=row.get("source") or "",
        licence=row.get("licence") or "",
        jpeg=row.get("jpeg") or b"",
        width=row.get("width") or 0,
        height=row.get("height") or 0,
        segments=tuple(segments),
        boundary=row.get("boundary"),
        split=row.get("split") or "train",
        path=str(file.parent / row["path"]) if row.get("path") else "",
    )


def counts_by(images: Iterable[PairImage]) -> dict[str, dict[str, int]]:
    """Photos and segments of each kind, by source: {source: {"photos": n, kind: n, ...}}."""
    table: dict[str, dict[str, int]] = {}
    for image in images:
        row = table.setdefault(image.source, {"photos": 0, **dict.fromkeys(KINDS, 0)})
        row["photos"] += 1
        for segment in image.segments:
            row[segment.kind] += 1
    return table
