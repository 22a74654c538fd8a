"""Reading photos: what is shown, and at which size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photo_samples import BLUE, GREEN, RED, difference, landscape, reason, saved
from PIL import Image, JpegImagePlugin

from indexer.photos import PhotoError, decode

# The collection of awkward files


def hard_cases(shared):
    import json

    folder = shared / "data" / "photos-hard"
    return folder / "files", json.loads((folder / "expected.json").read_text())


def test_every_hard_photo_is_shown_or_refused_as_expected(shared):
    files, expected = hard_cases(shared)
    assert len(expected) > 70
    for name, wanted in expected.items():
        either_is_fine = wanted.get("tolerant_reader_may_decode") or wanted.get("may_fail")
        try:
            photo = decode(files / name)
        except PhotoError as error:
            assert not wanted["decodes"] or either_is_fine, (name, error)
            continue
        assert wanted["decodes"] or either_is_fine, name
        assert (photo.width, photo.height) == (wanted["width"], wanted["height"]), name
        assert photo.image.dtype == np.uint8 and photo.image.ndim == 3, name
        assert photo.image.shape[2] == 3 and max(photo.image.shape[:2]) <= 1024, name


def test_the_refused_hard_photos_have_the_right_reason(shared):
    files, _ = hard_cases(shared)
    reasons = {
        "truncated.jpg": "truncated",
        "truncated.png": "truncated",
        "header-only.jpg": "damaged",
        "zero-bytes.jpg": "empty",
        "text.jpg": "not_an_image",
        "html.jpg": "not_an_image",
        "vector.svg": "not_an_image",
        "bomb-20000x20000.png": "too_large",
    }
    assert {name: reason(files / name) for name in reasons} == reasons


@pytest.mark.parametrize("number", range(1, 9))
def test_the_hard_photos_of_every_orientation_show_the_same_picture(shared, number):
    files, _ = hard_cases(shared)
    image = decode(files / f"orient-{number}.jpg").image
    assert image.shape == (120, 180, 3)
    top_left, bottom_right = image[:20, :20].mean((0, 1)), image[-20:, -20:].mean((0, 1))
    assert top_left[0] > top_left[2] + 80, "red is not top left"
    assert bottom_right[2] > bottom_right[0] + 80, "blue is not bottom right"


def test_the_hard_cmyk_photo_is_the_photo_and_not_its_negative(shared):
    files, _ = hard_cases(shared)
    cmyk, twin = decode(files / "cmyk.jpg").image, decode(files / "icc-srgb.jpg").image
    if cmyk.shape == twin.shape and np.corrcoef(cmyk.ravel(), twin.ravel())[0, 1] > 0.9:
        assert difference(cmyk, twin) < 20
    grey = decode(files / "grey.jpg").image
    assert np.corrcoef(cmyk.mean(2).ravel(), grey.mean(2).ravel())[0, 1] > 0.9


# Orientation


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_and_size_are_those_after_exif_orientation(tmp_path, ending, orientation):
    upright = landscape()
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, f"a.{ending}", exif=exif)
    photo = decode(path)
    assert (photo.width, photo.height) == (120, 80)
    assert difference(photo.image, upright) < 6


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_invalid_orientation_counts_as_none(tmp_path, value):
    exif = Image.Exif()
    exif[0x0112] = value
    photo = decode(saved(tmp_path, landscape(), "a.png", exif=exif))
    assert difference(photo.image, landscape()) == 0


def test_broken_exif_does_not_keep_a_photo_out(tmp_path):
    path = saved(
        tmp_path, landscape(), "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xee" * 40
    )
    photo = decode(path)
    assert (photo.width, photo.height, photo.taken_at, photo.camera) == (120, 80, None, None)


# Frames, size, reduction


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_the_first_of_several_frames_is_shown(tmp_path, ending):
    frames = [Image.new("RGB", (32, 24), colour) for colour in (GREEN, RED, BLUE)]
    path = saved(tmp_path, frames[0], f"a.{ending}", save_all=True, append_images=frames[1:])
    photo = decode(path)
    assert (photo.width, photo.height) == (32, 24)
    assert difference(photo.image, frames[0]) < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3000, 2), (2, 3000), (1025, 7)])
def test_thin_and_tiny_photos_keep_at_least_one_pixel(tmp_path, size):
    photo = decode(saved(tmp_path, Image.new("RGB", size, GREEN), "a.png"))
    assert (photo.width, photo.height) == size
    assert min(photo.image.shape[:2]) >= 1 and max(photo.image.shape[:2]) <= 1024
    assert (photo.image == GREEN).all()


@given(width=st.integers(1, 200), height=st.integers(1, 200), side=st.integers(1, 220))
def test_the_longest_side_is_bounded_and_nothing_is_enlarged(width, height, side):
    from indexer.pixels import fit

    w, h = fit(width, height, side)
    assert 1 <= w <= min(width, side) and 1 <= h <= min(height, side)
    assert max(w, h) == min(max(width, height), side)
    assert abs(w / width - h / height) <= 1 / min(width, height)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_decoded_reduced_and_looks_the_same(tmp_path, progressive, monkeypatch):
    asked = []
    picture = landscape(2400, 1600)
    path = saved(tmp_path, picture, "a.jpg", quality=92, progressive=progressive)
    original = JpegImagePlugin.JpegImageFile.draft
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile,
        "draft",
        lambda self, mode, size: asked.append(size) or original(self, mode, size),
    )
    photo = decode(path)
    assert asked == [(1024, 683)]
    assert (photo.width, photo.height) == (2400, 1600)
    full = picture.resize((1024, 683), Image.Resampling.LANCZOS)
    assert difference(photo.image, full) < 2
    asked.clear()
    decode(saved(tmp_path, landscape(1800, 1200), "b.jpg"))
    assert asked == [], "there is no reduced size to decode at; asking would only cost time"
