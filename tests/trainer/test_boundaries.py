"""Boundary targets from human maps and mask contours, and the loss that learns them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from trainer.boundaries import (
    BoundaryPair,
    boundary_loss,
    boundary_pairs,
    contour_target,
    to_stride,
)
from usearch import masks
from usearch.errors import InputError

SIZE = (12, 16)


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def row(name: str, **changes: Any) -> dict[str, Any]:
    photo = encoded(np.zeros((*SIZE, 3), np.uint8), "JPEG")
    plain = {"id": name, "source": "s", "jpeg": photo, "width": 16, "height": 12}
    return plain | {"regions": [], "boundary": None} | changes


def region(mask: np.ndarray | None) -> dict[str, Any]:
    return {"name": "x", "rle": None if mask is None else masks.encode(mask).decode()}


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "photos.parquet"
    region_type = pa.list_(pa.struct([("name", pa.string()), ("rle", pa.string())]))
    schema = pa.schema(
        [("id", pa.string()), ("source", pa.string()), ("jpeg", pa.binary()),
         ("width", pa.int32()), ("height", pa.int32()), ("regions", region_type),
         ("boundary", pa.binary())]
    )  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    return path


def left_half() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[:, :8] = True
    return mask


def test_a_human_map_is_known_everywhere(tmp_path: Path) -> None:
    drawn = np.zeros(SIZE, np.uint8)
    drawn[:, 5] = 51
    path = write(tmp_path, [row("a", boundary=encoded(drawn, "PNG"))])
    (pair,) = boundary_pairs([path])
    assert pair.target[:, 5] == pytest.approx(0.2)
    assert pair.weight.min() == 1
    assert pair.image.shape == (*SIZE, 3)


def test_contours_are_marked_on_both_sides_and_the_unlabelled_part_is_unknown() -> None:
    target, weight = contour_target([left_half()])
    assert np.flatnonzero(target[0]).tolist() == [7, 8]
    assert np.flatnonzero(weight[0]).tolist() == list(range(9))


def test_only_photos_with_boundaries_are_given(tmp_path: Path) -> None:
    dot = np.zeros(SIZE, bool)
    dot[3, 3] = True
    rows = [
        row("nothing"),
        row("boxes only", regions=[region(None)]),
        row("too little", regions=[region(dot)]),
        row("masks", regions=[region(left_half()), region(None)]),
        row("elsewhere", source="t", regions=[region(left_half())]),
    ]
    path = write(tmp_path, rows)
    assert [p.id for p in boundary_pairs([path])] == ["masks", "elsewhere"]
    assert [p.id for p in boundary_pairs([path], ["s"])] == ["masks"]


def test_a_map_of_another_size_names_the_photo(tmp_path: Path) -> None:
    path = write(tmp_path, [row("odd", boundary=encoded(np.zeros((3, 3), np.uint8), "PNG"))])
    with pytest.raises(InputError, match="odd"):
        list(boundary_pairs([path]))


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"x\.parquet"):
        list(boundary_pairs([path]))


def test_a_coarse_cell_has_its_strongest_boundary() -> None:
    target, weight = contour_target([left_half()])
    pair = BoundaryPair("a", "s", np.zeros((*SIZE, 3), np.uint8), target, weight)
    coarse, known = to_stride(pair, 4)
    assert coarse.tolist() == [[0, 1, 1, 0]] * 3
    assert known.tolist() == [[1, 1, 1, 0]] * 3
    assert to_stride(pair, 5)[0].shape == (3, 4)


def logits_of(target: torch.Tensor, sure: float) -> torch.Tensor:
    return (2 * target - 1) * sure


def test_the_loss_falls_from_wrong_to_unsure_to_right() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 3] = 1
    weight = torch.ones_like(target)
    losses = [boundary_loss(logits_of(target, s), target, weight).item() for s in (-4, 0, 4, 12)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=1e-3)


def test_both_sides_weigh_the_same_however_rare_boundaries_are() -> None:
    target = torch.zeros(1, 1, 20, 20)
    target[..., 3] = 1
    weight = torch.ones_like(target)
    all_one = boundary_loss(torch.full_like(target, 3.0), target, weight, dice=0)
    all_zero = boundary_loss(torch.full_like(target, -3.0), target, weight, dice=0)
    assert all_one.item() == pytest.approx(all_zero.item(), rel=1e-4)


def test_unknown_pixels_have_no_gradient_and_an_unknown_photo_no_loss() -> None:
    target = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    weight = torch.ones_like(target)
    weight[:, :, :3] = 0
    logits = torch.zeros_like(target, requires_grad=True)
    boundary_loss(logits, target, weight).backward()
    assert logits.grad is not None
    assert not logits.grad[:, :, :3].any()
    assert logits.grad[:, :, 3:].all()
    assert boundary_loss(logits, target, torch.zeros_like(weight)).item() == 0


def test_real_training_photos_give_pairs(shared: Path) -> None:
    pair = next(boundary_pairs([shared / "train-data" / "core-bsds-00.parquet"]))
    assert 0 < pair.target.mean() < 0.2
    assert pair.target.shape == pair.image.shape[:2]
