"""How well regions get their names, and names find their regions.

The measurement that steers the model work: an embedder gives labelled regions vectors, a
text encoder gives names vectors, the nearest name is the answer. The functions take plain
arrays and callables, so a model in training is measured by the same code as a finished one:

    regions = load_regions(path)
    report = naming_report(embed, text_vectors, names, regions)
    report.to_json()["top1"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from eval.datasets import RegionSet, read_image, segments_of
from eval.metrics import (
    Doubles,
    Interval,
    bootstrap_interval,
    class_mean_of,
    class_sums,
    paired_interval,
    share_of,
    true_ranks,
)
from usearch.errors import InputError
from usearch.records import FloatArray, Image, Segments

EmbedFn = Callable[[Image, Segments], FloatArray]
"""An image uint8 [H, W, 3] and its n segments to vectors float32 [n, D]."""

MIN_AREA = 32 * 32
"""Smaller regions are left out: at 640 pixels a person cannot name most of them either."""


@dataclass(frozen=True, slots=True)
class PhotoRegions:
    """Labelled regions of one photo that are to be named.

    Attributes:
        path: The photo file.
        segments: n regions.
        names: n right names.
        things: bool [n], a countable thing or stuff.
    """

    path: Path
    segments: Segments
    names: tuple[str, ...]
    things: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NamedVectors:
    """Vectors of labelled regions.

    Attributes:
        vectors: float32 [n, D], as the embedder gave them.
        names: n right names.
        photos: int64 [n], number of the region's photo.
        things: bool [n].
    """

    vectors: FloatArray
    names: tuple[str, ...]
    photos: npt.NDArray[np.int64]
    things: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class NamingReport:
    """Result of naming regions among a list of names; shares in 0..1.

    Attributes:
        top1: Share of the regions whose best name is right.
        top5: Share whose right name is among the best five.
        class_mean: Mean over the names that occur of their own top1.
        intervals: 95 % bootstrap intervals over photos of the three.
        n_regions: Regions named.
        n_photos: Photos they lie in.
        n_names: Names to choose from.
        n_present: Names that occur.
        per_name: name -> (regions, top1).
        sums: For a paired comparison: per-photo hit and trial counts of top1 and top5.
    """

    top1: float
    top5: float
    class_mean: float
    intervals: dict[str, Interval]
    n_regions: int
    n_photos: int
    n_names: int
    n_present: int
    per_name: dict[str, tuple[int, float]]
    sums: dict[str, Doubles] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain values under the keys of the metrics."""
        return {
            "top1": self.top1,
            "top5": self.top5,
            "class_mean": self.class_mean,
            "intervals": {key: [i.low, i.high] for key, i in self.intervals.items()},
            "n_regions": self.n_regions,
            "n_photos": self.n_photos,
            "n_names": self.n_names,
            "n_present": self.n_present,
        }


def regions_to_name(sets: Iterable[RegionSet], min_area: int = MIN_AREA) -> list[PhotoRegions]:
    """The regions of labelled sets that are large enough to be named, photo by photo.

    Crowd regions are left out: they are many things at once.
    """
    out = []
    for one in sets:
        for photo in one.photos:
            rows = [i for i, r in enumerate(photo.regions) if r.area >= min_area and not r.crowd]
            if rows:
                chosen = [photo.regions[i] for i in rows]
                out.append(
                    PhotoRegions(
                        path=photo.path,
                        segments=segments_of(photo, rows),
                        names=tuple(region.name for region in chosen),
                        things=np.array([region.thing for region in chosen]),
                    )
                )
    return out


def embed_regions(
    embed: EmbedFn,
    regions: Sequence[PhotoRegions],
    read: Callable[[Path], Image] = read_image,
) -> NamedVectors:
    """Vectors of all regions; decodes each photo once.

    Args:
        embed: The embedder's `embed`, or any callable of its form.
        regions: Regions to embed.
        read: Gives the pixels of a photo; a caller that measures often may keep them.
    """
    vectors = [embed(read(photo.path), photo.segments) for photo in regions]
    counts = [len(photo.names) for photo in regions]
    return NamedVectors(
        vectors=np.concatenate(vectors).astype(np.float32, copy=False),
        names=tuple(name for photo in regions for name in photo.names),
        photos=np.repeat(np.arange(len(regions)), counts),
        things=np.concatenate([photo.things for photo in regions]),
    )


def naming_report(
    embed: EmbedFn,
    text_vectors: FloatArray,
    names: Sequence[str],
    regions: Sequence[PhotoRegions],
) -> NamingReport:
    """Embed regions and name them.

    Args:
        embed: Image and segments to vectors.
        text_vectors: float32 [C, D], one row a name.
        names: C names to choose from; regions of other names are left out.
        regions: As `regions_to_name` or `load_regions` give them.
    """
    return report_of_vectors(embed_regions(embed, regions), text_vectors, names)


def report_of_vectors(
    found: NamedVectors,
    text_vectors: FloatArray,
    names: Sequence[str],
    only: Iterable[str] | None = None,
) -> NamingReport:
    """Name regions that already have vectors, by cosine.

    Args:
        found: Vectors of regions with their right names.
        text_vectors: float32 [C, D].
        names: C names to choose from.
        only: Score only regions of these names (names held out of training, say), still
            among all `names`.
    """
    rows, labels = _labelled_rows(found.names, names, only)
    scores = _unit(found.vectors[rows]) @ _unit(text_vectors).T
    return report_of_scores(scores, labels, found.photos[rows], names)


def _labelled_rows(
    right: Sequence[str], names: Sequence[str], only: Iterable[str] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    column = {name: i for i, name in enumerate(names)}
    wanted = column.keys() if only is None else column.keys() & set(only)
    rows = np.array([i for i, name in enumerate(right) if name in wanted], np.int64)
    return rows, np.array([column[right[i]] for i in rows.tolist()], np.int64)


def report_of_scores(
    scores: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    photos: npt.NDArray[np.integer],
    names: Sequence[str],
) -> NamingReport:
    """Score a naming given as a table of scores, whatever made it.

    Args:
        scores: [n, C], higher is better.
        labels: [n], right column of each region.
        photos: [n], number of the photo of each region.
        names: C names.

    Raises:
        ValueError: There is no region to name.
    """
    if len(labels) == 0:
        raise ValueError("no region of these names")
    ranks = true_ranks(scores, labels)
    number = np.unique(photos, return_inverse=True)[1]
    sums = {f"top{k}": class_sums(ranks < k, number, labels, len(names)) for k in (1, 5)}
    hits, trials = np.split(sums["top1"].sum(0), 2)
    present = np.flatnonzero(trials)
    return NamingReport(
        top1=float((ranks < 1).mean()),
        top5=float((ranks < 5).mean()),
        class_mean=float(class_mean_of(sums["top1"].sum(0))),
        intervals={
            "top1": bootstrap_interval(sums["top1"], share_of),
            "top5": bootstrap_interval(sums["top5"], share_of),
            "class_mean": bootstrap_interval(sums["top1"], class_mean_of),
        },
        n_regions=len(labels),
        n_photos=int(number.max()) + 1,
        n_names=len(names),
        n_present=len(present),
        per_name={names[i]: (int(trials[i]), float(hits[i] / trials[i])) for i in present.tolist()},
        sums=sums,
    )


def compare(ours: NamingReport, theirs: NamingReport) -> dict[str, Interval]:
    """Paired bootstrap intervals of ours - theirs over the same regions."""
    pairs = (
        ("top1", "top1", share_of),
        ("top5", "top5", share_of),
        ("class_mean", "top1", class_mean_of),
    )
    return {
        key: paired_interval(ours.sums[source], theirs.sums[source], statistic)
        for key, source, statistic in pairs
    }


def most_frequent_scores(labels: npt.NDArray[np.integer], n_names: int) -> Doubles:
    """Scores of a naming that ranks all names by how often they occur in `labels` itself."""
    counts = Counter(labels.tolist())
    row = np.array([counts[i] for i in range(n_names)], float)
    # Ties are broken by position, so that a rank is a rank and not half of one.
    row -= np.arange(n_names) / (2.0 * n_names)
    return np.tile(row, (len(labels), 1))


def recall_at(
    similarity: npt.NDArray[np.floating],
    relevant: npt.NDArray[np.bool_],
    ks: Sequence[int] = (1, 10),
) -> dict[int, npt.NDArray[np.bool_]]:
    """Text to segment: which queries have a right segment among their first k.

    Args:
        similarity: [q, n], of each query and each segment.
        relevant: bool [q, n], the right segments of each query.
        ks: How many of the first segments count.

    Returns:
        k -> bool [q]. Queries without any right segment are False; leave them out before.
    """
    # A stable sort: equal similarities keep the order of the gallery, right or wrong.
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : max(ks)]
    right = np.take_along_axis(relevant, order, axis=1)
    return {k: np.asarray(right[:, :k].any(axis=1)) for k in ks}


def save_regions(path: Path, regions: Sequence[PhotoRegions]) -> None:
    """Write regions to an .npz, so that a later measurement reads no label file."""
    segments = [photo.segments for photo in regions]
    rles = [rle for one in segments for rle in one.rles]
    np.savez_compressed(
        path,
        photos=np.array([str(photo.path) for photo in regions]),
        sizes=np.array([one.size for one in segments], np.int32),
        counts=np.array([len(one) for one in segments], np.int64),
        boxes=np.concatenate([one.boxes for one in segments]),
        areas=np.concatenate([one.areas for one in segments]),
        names=np.array([name for photo in regions for name in photo.names]),
        things=np.concatenate([photo.things for photo in regions]),
        rle_lengths=np.array([len(rle) for rle in rles], np.int64),
        rle_bytes=np.frombuffer(b"".join(rles), np.uint8),
    )


def load_regions(path: Path) -> list[PhotoRegions]:
    """Regions that `save_regions` wrote.

    Raises:
        InputError: The file is missing or was not written by it.
    """
    try:
        with path.open("rb") as raw_file, np.load(raw_file, allow_pickle=False) as file:
            data = {key: file[key] for key in file.files}
        ends = np.cumsum(data["rle_lengths"])
        raw = data["rle_bytes"].tobytes()
        rles = [raw[e - n : e] for e, n in zip(ends, data["rle_lengths"], strict=True)]
        out, first = [], 0
        for photo, size, n in zip(data["photos"], data["sizes"], data["counts"], strict=True):
            rows = slice(first, first + int(n))
            segments = Segments(
                size=(int(size[0]), int(size[1])),
                rles=rles[rows],
                boxes=data["boxes"][rows],
                areas=data["areas"][rows],
                scores=np.ones(n, np.float32),
                parents=np.full(n, -1, np.int32),
                depths=np.zeros(n, np.int32),
            )
            names = tuple(str(name) for name in data["names"][rows])
            out.append(PhotoRegions(Path(str(photo)), segments, names, data["things"][rows]))
            first += int(n)
    except (OSError, KeyError, ValueError, EOFError, TypeError, BadZipFile) as error:
        raise InputError(f"{path} holds no regions: {error}") from error
    return out


def _unit(vectors: FloatArray) -> FloatArray:
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = (vectors / np.maximum(norm, 1e-12)).astype(np.float32)
    return unit
