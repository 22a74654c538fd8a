"""Crops: the right pixels, names that say what they are, nothing written over, nothing hidden."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hit_photos import RED, answer_of, disc, disc_photo, hit_of, read_photo
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from usearch.errors import InputError
from usearch.hits import Hits
from usearch.render.crops import JPEG_QUALITY, crop_name, write_crops


def crops(folder, hits, *, cutout=False, told=None, read=read_photo):
    told = [] if told is None else told
    return write_crops(folder, Hits(hits), cutout=cutout, read_photo=read, skipped=told.append)


def test_a_box_crop_shows_the_box_and_a_small_margin(tmp_path):
    mask = disc_photo(tmp_path / "a.png")
    [path] = crops(tmp_path / "out", [hit_of(tmp_path / "a.png", mask)])
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        shown = np.asarray(picture).astype(int)
    assert 60 < shown.shape[0] == shown.shape[1] < 72
    middle = shown.shape[0] // 2
    assert np.abs(shown[middle, middle] - RED).max() < 6


def test_a_cut_out_is_the_segment_and_nothing_below_its_alpha(tmp_path):
    mask = disc_photo(tmp_path / "a.png")
    [path] = crops(tmp_path / "out", [hit_of(tmp_path / "a.png", mask)], cutout=True)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")
        shown = np.asarray(picture)
    np.testing.assert_array_equal(shown[..., 3] > 0, mask[50:110, 70:130])
    assert (shown[..., :3][shown[..., 3] > 0] == RED).all()
    assert not shown[shown[..., 3] == 0].any()


def test_a_coarse_mask_is_scaled_to_the_photo(tmp_path):
    mask = disc_photo(tmp_path / "a.png", (400, 600), (200, 160), 90)
    hit = hit_of(tmp_path / "a.png", mask, grid=4)
    [path] = crops(tmp_path / "out", [hit], cutout=True)
    with Image.open(path) as picture:
        alpha = np.asarray(picture)[..., 3]
    x0, y0, x1, y1 = (int(v) for v in hit.box)
    assert ((alpha > 127) ^ mask[y0:y1, x0:x1]).mean() < 0.03
    assert len(np.unique(alpha)) > 2  # its edge is soft


def test_the_photo_is_turned_as_it_is_shown(tmp_path):
    from indexer.photos import decode

    mask = disc(200, 300, (100, 80), 30)
    image = np.full((200, 300, 3), 90, np.uint8)
    image[mask] = RED
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, shown after a quarter turn to the right
    lying = Image.fromarray(image).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    read = lambda path, side: decode(path, side).image  # noqa: E731
    [path] = crops(tmp_path / "out", [hit_of(tmp_path / "a.jpg", mask)], cutout=True, read=read)
    with Image.open(path) as picture:
        shown = np.asarray(picture).astype(int)
    assert np.abs(shown[30, 30, :3] - RED).max() < 12
    with Image.open(path) as picture:
        assert not picture.getexif()


def test_files_sort_by_rank_and_say_what_they_are(tmp_path):
    hits = []
    for rank in (1, 2, 10):
        path = tmp_path / f"my dog {rank}.png"
        hits.append(hit_of(path, disc_photo(path), rank))
    names = [path.name for path in crops(tmp_path / "out", hits)]
    assert names == [
        "01-0.93-my_dog_1-65541.jpg",
        "02-0.93-my_dog_2-131077.jpg",
        "10-0.93-my_dog_10-655365.jpg",
    ]
    assert names == sorted(names)


def test_nothing_is_written_over(tmp_path):
    hit = hit_of(tmp_path / "a.png", disc_photo(tmp_path / "a.png"))
    [first] = crops(tmp_path / "out", [hit])
    before = first.read_bytes()
    first.write_bytes(b"mine")
    [second] = crops(tmp_path / "out", [hit])
    [third] = crops(tmp_path / "out", [hit])
    assert first.read_bytes() == b"mine"
    assert second.read_bytes() == third.read_bytes() == before
    assert len({first, second, third}) == 3


@given(st.text(min_size=1, max_size=300).filter(lambda name: name not in (".", "..")))
def test_a_name_is_one_safe_component_whatever_the_photo_is_called(name):
    mask = np.ones((4, 4), bool)
    from pathlib import Path

    hit = dataclasses.replace(hit_of(Path("/p/a.png"), mask), path=name)
    made = crop_name(hit)
    assert len(made.encode()) < 200
    assert made.startswith("01-0.93-")
    assert not set(made) & set('/\\\0\n\r\t:*?"<>|\x1b\u202e ')


def test_photos_that_are_gone_or_changed_are_named_and_left_out(tmp_path):
    masks = {name: disc_photo(tmp_path / name) for name in ("a.png", "b.png", "c.png")}
    hits = [hit_of(tmp_path / name, mask, i + 1) for i, (name, mask) in enumerate(masks.items())]
    (tmp_path / "a.png").unlink()
    disc_photo(tmp_path / "b.png", (90, 300))
    told = []
    written = crops(tmp_path / "out", [*hits, dataclasses.replace(hits[1], rank=4)], told=told)
    assert [path.name for path in written] == ["03-0.93-c-196613.jpg"]
    assert len(told) == 2
    assert "a.png is gone" in told[0]
    assert "b.png has changed" in told[1]
    assert "300 x 200" in told[1]
    assert "300 x 90" in told[1]
    assert "2 hits" in told[1]


def test_a_photo_is_decoded_once_for_all_its_hits(tmp_path):
    mask = disc_photo(tmp_path / "a.png")
    read = []

    def counting(path, side):
        read.append((path, side))
        return read_photo(path, side)

    hits = [hit_of(tmp_path / "a.png", mask, rank) for rank in (1, 2, 3)]
    assert len(crops(tmp_path / "out", hits, read=counting)) == 3
    assert read == [(str(tmp_path / "a.png"), 300)]


@pytest.mark.parametrize("cutout", [False, True])
def test_a_box_at_the_edge_and_one_of_a_pixel_are_written(tmp_path, cutout):
    mask = disc_photo(tmp_path / "a.png")
    for corner in ((0, 0), (199, 299)):
        one = np.zeros_like(mask)
        one[corner] = True
        [path] = crops(tmp_path / "out", [hit_of(tmp_path / "a.png", one)], cutout=cutout)
        with Image.open(path) as picture:
            assert max(picture.size) <= 3


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file"):
        crops(tmp_path / "file" / "out", [])


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    import errno

    hit = hit_of(tmp_path / "a.png", disc_photo(tmp_path / "a.png"))

    def full(self, file, *args, **options):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        crops(tmp_path / "out", [hit])
    assert list((tmp_path / "out").iterdir()) == []


def test_the_jpeg_quality_is_the_one_stated(tmp_path):
    path = tmp_path / "a.png"
    [written] = crops(tmp_path / "out", [hit_of(path, disc_photo(path))])
    with Image.open(written) as picture:
        tables = picture.quantization
        picture.load()
    Image.new("RGB", (8, 8)).save(tmp_path / "same.jpg", quality=JPEG_QUALITY)
    with Image.open(tmp_path / "same.jpg") as picture:
        assert picture.quantization == tables


def test_an_answer_holds_hits_that_can_be_cropped(tmp_path):
    path = tmp_path / "a.png"
    answer = answer_of("red disc", [hit_of(path, disc_photo(path))])
    assert len(crops(tmp_path / "out", list(answer.hits))) == 1
