"""What a question finds: one record a segment, and all of them as a sequence and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, overload

import numpy as np
import numpy.typing as npt

from usearch.errors import InputError, ModelError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.records import FloatArray, Image

Sort = Literal["score", "date", "path"]
"""Orders of hits beside that of their ranks."""

ReadPhoto: TypeAlias = "Callable[[str, int], Image]"
"""Gives a photo's pixels, uint8 [H, W, 3] as shown, from its path and the longest side wanted."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One segment that answers a question.

    Attributes:
        rank: 1 for the best.
        cosine: Of the question and the segment, -1..1; what the ranking is made by.
        score: 0..1, comparable between questions; see docs/scores.md.
        root: Absolute folder that was indexed.
        path: Of the photo, relative to `root`, with '/'.
        width: Of the photo as shown (after EXIF orientation), in pixels.
        height: As `width`.
        box: x0, y0, x1, y1 in pixels of the photo as shown, half-open.
        area_share: Share of the photo that the segment covers, 0..1.
        segment: Id of the segment in its store.
        photo: Id of the photo in its store.
        mask_size: (height, width) of the mask grid, which covers the whole photo.
        rle: COCO compressed run lengths of the mask on that grid.
        matched: Which of several questions it answers best, as typed; "" where one was asked.
        folded: Near copies of this hit that were left out for it (with `dedupe`).
        parent: Id of the segment that this one is part of; None for none.
        depth: How deep it is nested; 0 without a parent.
        segmenter_score: How sure the segmenter was, 0..1.
        taken_at: When the photo was taken by its EXIF data, ISO without zone; None unknown.
        camera: What took it; None unknown.
    """

    rank: int
    cosine: float
    score: float
    root: str
    path: str
    width: int
    height: int
    box: tuple[float, float, float, float]
    area_share: float
    segment: int
    photo: int
    mask_size: tuple[int, int]
    rle: bytes
    matched: str = ""
    folded: int = 0
    parent: int | None = None
    depth: int = 0
    segmenter_score: float = 1.0
    taken_at: str | None = None
    camera: str | None = None

    @property
    def image(self) -> str:
        """Absolute path of the photo."""
        return str(Path(self.root) / self.path)


class Hits(Sequence[Hit]):
    """Hits in their order: a sequence of `Hit`, and arrays and tables over all of them.

    Immutable; a slice is `Hits` too.

    Args:
        hits: In the order of their ranks.
        read_photo: Where pictures come from; None gives hits without pictures.
    """

    __slots__ = ("_hits", "_read_photo")

    def __init__(self, hits: Iterable[Hit] = (), read_photo: ReadPhoto | None = None) -> None:
        self._hits = tuple(hits)
        self._read_photo = read_photo

    def __len__(self) -> int:
        return len(self._hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Hits: ...
    def __getitem__(self, index: int | slice) -> Hit | Hits:
        if isinstance(index, slice):
            return Hits(self._hits[index], self._read_photo)
        return self._hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._hits)

    def __eq__(self, other: object) -> bool:
        return self._hits == other._hits if isinstance(other, Hits) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._hits)

    def __repr__(self) -> str:
        best = f", best {self[0].score:.2f} in {self[0].image}" if self._hits else ""
        return f"<Hits: {len(self)}{best}>"

    @property
    def cosine(self) -> FloatArray:
        """Cosines, float32 [n]."""
        return np.array([hit.cosine for hit in self._hits], np.float32)

    @property
    def score(self) -> FloatArray:
        """Scores, float32 [n] in 0..1."""
        return np.array([hit.score for hit in self._hits], np.float32)

    @property
    def boxes(self) -> FloatArray:
        """Boxes, float32 [n, 4]: x0, y0, x1, y1 in pixels of the photos as shown, half-open."""
        return np.array([hit.box for hit in self._hits], np.float32).reshape(-1, 4)

    @property
    def segment_ids(self) -> npt.NDArray[np.int64]:
        """Ids of the segments in their store, int64 [n]."""
        return np.array([hit.segment for hit in self._hits], np.int64)

    @property
    def photo_ids(self) -> npt.NDArray[np.int64]:
        """Ids of the photos in their store, int64 [n]."""
        return np.array([hit.photo for hit in self._hits], np.int64)

    def to_arrow(self) -> pa.Table:
        """One row a hit: the fields of `Hit`, the box and the mask size in columns of their own.

        Names that are no UTF-8 are in stored form; `usearch.store.real_name` gives them back.
        """
        import pyarrow as pa

        rows = [_row(hit) for hit in self._hits]
        return pa.Table.from_pylist(rows, pa.schema(_columns()))

    def to_pandas(self) -> Any:
        """`to_arrow` as a pandas data frame.

        Raises:
            ModelError: pandas is not installed.
        """
        require_pandas()
        return self.to_arrow().to_pandas()

    def crop(self, index: int, margin: float = 0.0) -> Image:
        """What a hit's box shows, uint8 [h, w, 3], at the photo's own size.

        Args:
            index: Place of the hit.
            margin: Share of the box's longer side that is added around it.

        Raises:
            InputError: The photo is gone, has changed, or these hits came without pictures.
        """
        from usearch.render.crops import box_crop, full_photo

        hit = self._hits[index]
        return np.asarray(box_crop(full_photo(hit, self.read_photo), hit, margin))

    def view(self, index: int, side: int = 1024) -> Image:
        """A hit lit up in what is around it, uint8 [h, w, 3], of a photo of at most `side`.

        Raises:
            InputError: As for `crop`.
        """
        from usearch.render.hits import hit_view

        return hit_view(self._hits[index], self.read_photo, side=side)

    @property
    def read_photo(self) -> ReadPhoto:
        """What gives the pixels of these hits' photos.

        Raises:
            InputError: These hits came without pictures.
        """
        if self._read_photo is None:
            raise InputError("these hits came without pictures", "take them from open_store(...)")
        return self._read_photo

    def _repr_html_(self) -> str:
        """For notebooks: the best hits as small pictures."""
        from usearch.render.notebook import hits_html

        return hits_html(self)


def check_sort(sort: str | None) -> None:
    """Refuse an order that there is not.

    Raises:
        UsageError: It is no `Sort`.
    """
    if sort not in (None, *get_args(Sort)):
        raise UsageError(f"hits cannot be sorted by {sort!r}", "score, date or path")


def in_order(hits: Iterable[Hit], sort: Sort | None) -> list[Hit]:
    """The same hits in another order; photos without a date come last. Ranks stay."""
    if sort == "score":
        return sorted(hits, key=lambda hit: -hit.score)
    if sort == "date":
        return sorted(hits, key=lambda hit: (hit.taken_at is None, hit.taken_at or ""))
    return sorted(hits, key=lambda hit: hit.image) if sort == "path" else list(hits)


def require_pandas() -> None:
    """Refuse to go on without pandas.

    Raises:
        ModelError: It is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("pandas") is None:
        raise ModelError("pandas is not installed", "pip install pandas, or use .to_arrow()")


def _row(hit: Hit) -> dict[str, Any]:
    from usearch.store import stored_name

    x0, y0, x1, y1 = hit.box
    return {
        "rank": hit.rank,
        "score": hit.score,
        "cosine": hit.cosine,
        # A question may quote a file name that is no UTF-8.
        "matched": hit.matched.encode("utf-8", "replace").decode("utf-8"),
        "image": stored_name(hit.image),
        "root": stored_name(hit.root),
        "path": stored_name(hit.path),
        "width": hit.width,
        "height": hit.height,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "area_share": hit.area_share,
        "segment_id": hit.segment,
        "photo_id": hit.photo,
        "parent": hit.parent,
        "depth": hit.depth,
        "segmenter_score": hit.segmenter_score,
        "folded": hit.folded,
        "taken_at": hit.taken_at,
        "camera": hit.camera,
        "mask_h": hit.mask_size[0],
        "mask_w": hit.mask_size[1],
        "rle": hit.rle,
    }


def _columns() -> list[tuple[str, Any]]:
    import pyarrow as pa

    text, number, real = pa.string(), pa.int32(), pa.float32()
    return [
        ("rank", number),
        ("score", real),
        ("cosine", real),
        ("matched", text),
        ("image", text),
        ("root", text),
        ("path", text),
        ("width", number),
        ("height", number),
        ("x0", real),
        ("y0", real),
        ("x1", real),
        ("y1", real),
        ("area_share", real),
        ("segment_id", pa.int64()),
        ("photo_id", pa.int64()),
        ("parent", pa.int64()),
        ("depth", number),
        ("segmenter_score", real),
        ("folded", number),
        ("taken_at", text),
        ("camera", text),
        ("mask_h", number),
        ("mask_w", number),
        ("rle", pa.binary()),
    ]
