"""Classes of one photo and of a collection, as Python callers get them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from usearch.classify import (
    ClassTexts,
    PhotoShares,
    Rule,
    Shares,
    classify_picture,
    classify_segments,
    classify_store,
    shares_of,
    stored_photos,
)
from usearch.classify.values import ClassMap
from usearch.errors import InputError
from usearch.text.class_lists import ClassList, parse_classes, read_class_list

if TYPE_CHECKING:
    import pyarrow as pa

    from usearch.records import Image
    from usearch.store import Snapshot


@dataclass(frozen=True, slots=True)
class ImageClasses:
    """The classes of one photo.

    Attributes:
        names: Of the classes, in the order of their values.
        labels: uint8 or uint16 [H, W], the class of each pixel of the photo as shown; the
            values from `usearch.classify.map_values` where there is no class.
        shares: Of the pixels.
    """

    names: tuple[str, ...]
    labels: ClassMap
    shares: Shares

    def mask(self, name: str) -> npt.NDArray[np.bool_]:
        """The pixels of a class, bool [H, W].

        Raises:
            ValueError: There is no such class.
        """
        found: npt.NDArray[np.bool_] = self.labels == self.names.index(name)
        return found


class CollectionClasses:
    """Photos x classes.

    Attributes:
        names: Of the C classes.
        images: Absolute paths of the n photos.
        photo_ids: int64 [n].
        shares: float32 [n, C], the share of each photo's pixels.
        counts: int64 [n, C], segments of each class.
    """

    def __init__(self, names: Sequence[str], photos: Sequence[PhotoShares]) -> None:
        self.names = tuple(names)
        self.images = tuple(photo.image for photo in photos)
        self.photo_ids = np.array([photo.photo for photo in photos], np.int64)
        wide = (len(photos), len(self.names))
        self.shares = np.array([p.shares.classes for p in photos], np.float32).reshape(wide)
        self.counts = np.array([p.counts for p in photos], np.int64).reshape(wide)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<CollectionClasses: {len(self)} photos x {len(self.names)} classes>"

    def to_arrow(self) -> pa.Table:
        """One row a photo: photo_id, image, and the share of each class by its name.

        A class that is called like a column before it has ` (class)` behind its name.
        """
        import pyarrow as pa

        from usearch.render.share_files import with_classes
        from usearch.store import stored_name

        images = pa.array([stored_name(image) for image in self.images], pa.string())
        shares = [pa.array(column) for column in self.shares.T]
        names = with_classes(("photo_id", "image"), self.names)
        return pa.Table.from_arrays([pa.array(self.photo_ids), images, *shares], names=names)

    def to_pandas(self) -> Any:
        """`to_arrow` as a pandas data frame.

        Raises:
            ModelError: pandas is not installed.
        """
        from usearch.hits import require_pandas

        require_pandas()
        return self.to_arrow().to_pandas()


def class_list(classes: Iterable[str] | PathLike[str]) -> ClassList:
    """A class list from names, or from a file of them given as a `Path`.

    Args:
        classes: Each with its synonyms behind commas: "cup, mug"; a part with its whole
            before it: "cup > handle". A single str is refused: it is no list.

    Raises:
        InputError: The file cannot be read, or the list makes no sense.
    """
    if isinstance(classes, PathLike):
        return read_class_list(Path(fspath(classes)))
    if isinstance(classes, str):
        raise InputError(
            f"the classes are one text, {classes!r}, and no list", "give a list, or a Path"
        )
    return parse_classes(list(classes), "the class list", "class")


def classes_of_stored(
    snapshot: Snapshot, photo: int, texts: ClassTexts, rule: Rule
) -> ImageClasses:
    """The classes of a stored photo, from what the store holds of it."""
    [stored] = stored_photos(snapshot, [photo])
    found = classify_segments(stored.segments, stored.vectors, texts, rule)
    size = stored.height, stored.width
    return ImageClasses(tuple(texts.listed.titles), found.map(size), shares_of(found, size))


def classes_of_image(
    image: Image,
    size: tuple[int, int],
    segmenter: Any,
    embedder: Any,
    texts: ClassTexts,
    rule: Rule,
) -> ImageClasses:
    """The classes of a picture that the store does not know; gaps are filled.

    Args:
        image: uint8 [h, w, 3], perhaps scaled down.
        size: (height, width) of the map.
        segmenter: As `indexer.presets.load_indexer` gives it.
        embedder: Likewise.
        texts: The classes.
        rule: What of the rule is chosen.
    """
    segments = segmenter.segment(image)
    found = classify_picture(image, segments, embedder.embed, texts, rule)
    return ImageClasses(tuple(texts.listed.titles), found.map(size), shares_of(found, size))


def classes_of_store(
    snapshot: Snapshot, texts: ClassTexts, rule: Rule, rows: npt.NDArray[np.int64] | None
) -> CollectionClasses:
    """The classes of every photo of a store."""
    photos = list(classify_store(snapshot, texts, rule, rows=rows))
    return CollectionClasses(texts.listed.titles, photos)
