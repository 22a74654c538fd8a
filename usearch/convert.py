"""Hits and segments for other Python tools: supervision, FiftyOne, or plain arrays.

Neither tool is needed by usearch: `detections_arrays` and `fiftyone_values` give what they
take as arrays and plain values, `to_supervision` and `to_fiftyone` give their own objects
where they are installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from usearch import masks
from usearch.answers import Answer
from usearch.errors import ModelError, UsageError
from usearch.hits import Hit
from usearch.records import FloatArray, Segments
from usearch.scaling import scaled_rle

Found: TypeAlias = "Answer | Sequence[Hit] | Segments"

UNNAMED = "match"
"""The class of hits whose question is not known: `Hits` taken out of their `Answer`."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Segments of one photo as arrays, named as supervision names them.

    Attributes:
        size: (height, width) of the picture that boxes and masks are on.
        xyxy: float32 [n, 4], x0 y0 x1 y1 in its pixels, half-open.
        rles: n COCO RLE objects, {"size": [height, width], "counts": text}, on its pixels.
        confidence: float32 [n]: scores of hits, else those of the segmenter; 0..1.
        class_id: int64 [n], places in `classes`.
        classes: Names of the classes.
        data: More arrays [n]: `class_name`, and of hits `segment`, `cosine` and `rank`.
    """

    size: tuple[int, int]
    xyxy: FloatArray
    rles: list[dict[str, Any]]
    confidence: FloatArray
    class_id: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    data: dict[str, npt.NDArray[Any]]

    def mask(self) -> npt.NDArray[np.bool_]:
        """All masks decoded, bool [n, H, W]: n times the photo's pixels in bytes."""
        if not self.rles:
            return np.zeros((0, *self.size), bool)
        return np.stack([masks.decode(rle["counts"].encode(), self.size) for rle in self.rles])


def detections_arrays(
    found: Found,
    *,
    size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    class_ids: npt.ArrayLike | None = None,
) -> Detections:
    """What was found in one photo, as arrays.

    Args:
        found: An answer or hits, all of one photo (see `by_photo`), or segments of a photo.
        size: (height, width) to bring boxes and masks to; without it that of the photo for
            hits, and that of the mask grid for segments.
        classes: Names of the classes of segments; hits have the questions that they match.
        class_ids: Class of each segment, [n], places in `classes`; 0 for all without it.

    Raises:
        UsageError: Hits of several photos, or of none and no `size`; classes that do not fit.
    """
    if isinstance(found, Segments):
        return _of_segments(found, size or found.size, tuple(classes) or ("segment",), class_ids)
    if classes or class_ids is not None:
        raise UsageError("the classes of hits are the questions that they match")
    hits = found.hits if isinstance(found, Answer) else found
    question = found.question if isinstance(found, Answer) else UNNAMED
    photos = {hit.photo for hit in hits}
    if len(photos) > 1:
        raise UsageError(
            f"hits of {len(photos)} photos; detections are those of one picture",
            "take them one photo at a time: usearch.convert.by_photo(hits)",
        )
    if size is None:
        if not hits:
            raise UsageError("no hit says how large the picture is", "give size=(height, width)")
        size = hits[0].height, hits[0].width
    labels = [hit.matched or question for hit in hits]
    names = tuple(dict.fromkeys(labels))
    scale = [(size[1] / hit.width, size[0] / hit.height) for hit in hits]
    boxes = np.array([hit.box for hit in hits], np.float64).reshape(-1, 4)
    return Detections(
        size=size,
        xyxy=(boxes * np.tile(np.reshape(scale, (-1, 2)), 2)).astype(np.float32),
        rles=[_rle(hit.rle, hit.mask_size, size) for hit in hits],
        confidence=np.array([hit.score for hit in hits], np.float32),
        class_id=np.array([names.index(label) for label in labels], np.int64),
        classes=names,
        data={
            "class_name": np.array(labels, dtype=str),
            "segment": np.array([hit.segment for hit in hits], np.int64),
            "cosine": np.array([hit.cosine for hit in hits], np.float32),
            "rank": np.array([hit.rank for hit in hits], np.int64),
        },
    )


def to_supervision(
    found: Found,
    *,
    size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    class_ids: npt.ArrayLike | None = None,
    compact: bool = False,
) -> Any:
    """What was found in one photo as `supervision.Detections`.

    Args:
        found: As for `detections_arrays`, like the other arguments.
        size: See there.
        classes: See there.
        class_ids: See there.
        compact: Masks as `supervision.CompactMask`, which keeps run lengths: for many masks of
            a large photo. Otherwise bool [n, H, W].

    Raises:
        ModelError: supervision is not installed, or is too old for `compact`.
        UsageError: As `detections_arrays`.
    """
    try:
        import supervision
    except ImportError as error:
        raise _missing("supervision", "detections_arrays") from error
    plain = detections_arrays(found, size=size, classes=classes, class_ids=class_ids)
    mask: Any
    if compact:
        compact_mask: Any = getattr(supervision, "CompactMask", None)
        if not hasattr(compact_mask, "from_coco_rle"):
            raise ModelError(
                f"supervision {supervision.__version__} has no compact masks of run lengths",
                "pip install -U supervision, or leave compact out",
            )
        # Its boxes of masks name the last pixel, not the one behind it.
        boxes = np.array([_box_of(rle) for rle in plain.rles], np.float32).reshape(-1, 4)
        boxes[:, 2:] -= 1
        mask = compact_mask.from_coco_rle(plain.rles, boxes, plain.size)
    else:
        mask = plain.mask()
    return supervision.Detections(
        xyxy=plain.xyxy,
        mask=mask,
        confidence=plain.confidence,
        class_id=plain.class_id,
        data=dict(plain.data),
        metadata={"classes": list(plain.classes)},
    )


def by_photo(found: Answer | Iterable[Hit]) -> dict[str, list[Hit]]:
    """Hits by the absolute path of their photo, photos in the order of their best hits."""
    photos: dict[str, list[Hit]] = {}
    for hit in found.hits if isinstance(found, Answer) else found:
        photos.setdefault(hit.image, []).append(hit)
    return photos


def fiftyone_values(found: Answer | Sequence[Hit]) -> list[dict[str, Any]]:
    """Hits as FiftyOne has them: a sample for each photo, as plain values and arrays.

    Returns:
        Dicts with `filepath`, `metadata` (width, height) and `detections`: dicts with `label`,
        `bounding_box` ([x, y, width, height] as shares of the photo), `mask` (bool [h, w],
        only what lies in the box; FiftyOne stretches it over the box), `confidence`, and the
        attributes `cosine`, `rank`, `segment`.
    """
    question = found.question if isinstance(found, Answer) else UNNAMED
    return [
        {
            "filepath": image,
            "metadata": {"width": hits[0].width, "height": hits[0].height},
            "detections": [_detection(hit, hit.matched or question) for hit in hits],
        }
        for image, hits in by_photo(found).items()
    ]


def to_fiftyone(found: Answer | Sequence[Hit], field: str = "segments") -> list[Any]:
    """Hits as `fiftyone.Sample` objects, one a photo, for `dataset.add_samples`.

    Args:
        found: An answer, or hits of any photos.
        field: Which field of the samples holds them, as `fiftyone.Detections`.

    Raises:
        ModelError: fiftyone is not installed.
    """
    try:
        import fiftyone
    except ImportError as error:
        raise _missing("fiftyone", "fiftyone_values") from error
    samples = []
    for values in fiftyone_values(found):
        detections = [fiftyone.Detection(**one) for one in values["detections"]]
        sample = fiftyone.Sample(
            filepath=values["filepath"], metadata=fiftyone.ImageMetadata(**values["metadata"])
        )
        sample[field] = fiftyone.Detections(detections=detections)
        samples.append(sample)
    return samples


def _of_segments(
    segments: Segments,
    size: tuple[int, int],
    classes: tuple[str, ...],
    class_ids: npt.ArrayLike | None,
) -> Detections:
    n = len(segments)
    ids = np.zeros(n, np.int64) if class_ids is None else np.asarray(class_ids, np.int64)
    if ids.shape != (n,):
        raise UsageError(f"class ids of shape {ids.shape} for {n} segments")
    if n and not (ids.min() >= 0 and ids.max() < len(classes)):
        raise UsageError(f"class ids from {ids.min()} to {ids.max()} for {len(classes)} classes")
    scale = np.array([size[1] / segments.size[1], size[0] / segments.size[0]] * 2)
    return Detections(
        size=size,
        xyxy=(segments.boxes * scale).astype(np.float32),
        rles=[_rle(rle, segments.size, size) for rle in segments.rles],
        confidence=segments.scores.astype(np.float32),
        class_id=ids,
        classes=classes,
        data={"class_name": np.array([classes[i] for i in ids], dtype=str)},
    )


def _rle(rle: bytes, grid: tuple[int, int], size: tuple[int, int]) -> dict[str, Any]:
    counts = scaled_rle(rle, grid, size)
    return {"size": list(size), "counts": masks.counts_to_rle(counts).decode("ascii")}


def _box_of(rle: dict[str, Any]) -> tuple[int, int, int, int]:
    height, width = rle["size"]
    return masks.box_of(masks.rle_to_counts(rle["counts"].encode(), (height, width)), height)


def _detection(hit: Hit, label: str) -> dict[str, Any]:
    height, width = hit.mask_size
    counts = masks.rle_to_counts(hit.rle, hit.mask_size)
    x0, y0, x1, y1 = masks.box_of(counts, height)
    return {
        "label": label,
        "bounding_box": [x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height],
        "mask": masks.counts_to_mask(counts, hit.mask_size)[y0:y1, x0:x1],
        "confidence": float(hit.score),
        "cosine": float(hit.cosine),
        "rank": hit.rank,
        "segment": hit.segment,
    }


def _missing(package: str, instead: str) -> ModelError:
    return ModelError(
        f"{package} is not installed", f"pip install {package}, or use usearch.convert.{instead}"
    )
