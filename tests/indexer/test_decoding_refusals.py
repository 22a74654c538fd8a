"""Files that are refused, with which reason, and what is known of a file that was read."""

import io
import os
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photo_samples import GREEN, difference, landscape, png_of, reason, saved
from PIL import Image

from indexer.photos import REASONS, PhotoError, SameContent, decode, hash_file


def test_an_empty_file_and_a_vanished_one_say_so(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(tmp_path / "a.jpg") == "empty"
    assert reason(tmp_path / "b.jpg") == "vanished"


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "tif", "bmp"])
def test_a_file_cut_anywhere_is_refused_or_shown_but_never_crashes(tmp_path, ending):
    whole = saved(tmp_path, landscape(), f"whole.{ending}").read_bytes()
    path = tmp_path / f"cut.{ending}"
    for share in (0.02, 0.2, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            decode(path)
        except PhotoError as error:
            assert error.reason in ("truncated", "damaged", "not_an_image"), error


def test_a_truncated_jpeg_is_refused_unless_asked_for_and_then_noted(tmp_path):
    whole = saved(tmp_path, landscape(400, 300), "a.jpg").read_bytes()
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: len(whole) // 2])
    assert reason(path) == "truncated"
    photo = decode(path, allow_truncated=True)
    assert "too early" in photo.note
    assert difference(photo.image[:60], np.asarray(landscape(400, 300))[:60]) < 8


@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_a_reason(data, tmp_path_factory):
    ending = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]))
    buffer = io.BytesIO()
    landscape(40, 30).save(buffer, ending)
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flip") / "a.bin"
    path.write_bytes(raw)
    try:
        photo = decode(path, max_pixels=1_000_000)
    except PhotoError as error:
        assert error.reason in REASONS
    else:
        assert photo.image.shape[2] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"just some words", "text"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "vector drawing"),
        (bytes(range(7, 200)), "no picture"),
    ],
)
def test_what_is_no_image_says_what_it_is(tmp_path, content, said):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=said) as caught:
        decode(path)
    assert caught.value.reason == "not_an_image"


def test_formats_that_run_programs_or_draw_are_never_tried(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ls) run\n")
    assert reason(path) == "not_an_image"


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path):
    import tracemalloc

    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(60000, 60000, 8, b""))
    tracemalloc.start()
    with pytest.raises(PhotoError) as caught:
        decode(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "too_large"
    assert "3,600,000,000" in caught.value.detail and "--max-pixels" in caught.value.detail
    assert caught.value.size == (60000, 60000)
    assert peak < 5_000_000


def test_the_pixel_limit_is_the_callers_and_leaves_pillows_own_alone(tmp_path):
    path = saved(tmp_path, landscape(), "a.png")
    before = Image.MAX_IMAGE_PIXELS
    assert reason(path, max_pixels=120 * 80 - 1) == "too_large"
    assert decode(path, max_pixels=120 * 80).width == 120
    assert before == Image.MAX_IMAGE_PIXELS is not None


def test_a_pipe_in_the_place_of_a_photo_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert reason(tmp_path / "a.jpg") == "not_a_file"


def test_a_folder_in_the_place_of_a_photo_is_no_file(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    assert reason(tmp_path / "a.jpg") == "not_a_file"


def test_heic_is_shown_with_the_extra_and_names_it_without(tmp_path, monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    heif.from_pillow(landscape()).save(path, quality=90)
    photo = decode(path)
    assert (photo.width, photo.height) == (120, 80)
    assert difference(photo.image, landscape()) < 8
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"use-segments\[heic\]") as caught:
        decode(path)
    assert caught.value.reason == "needs_heic"


# What is known of the file


def test_hash_size_and_time_are_those_of_the_bytes_that_were_read(tmp_path):
    path = saved(tmp_path, landscape(), "a.png")
    photo = decode(path)
    assert photo.hash == hash_file(path)
    assert (photo.bytes, photo.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    with pytest.raises(SameContent):
        decode(path, known_hash=photo.hash)


def test_a_refused_photo_has_its_hash_all_the_same(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"words")
    with pytest.raises(PhotoError) as caught:
        decode(path)
    assert caught.value.content_hash == hash_file(path)


def test_a_file_that_keeps_changing_is_refused(tmp_path, monkeypatch):
    from indexer import photos

    path = saved(tmp_path, landscape(), "a.png")
    original, calls = photos.upright_rgb, []

    def rewritten_meanwhile(picture, max_side):
        calls.append(None)
        path.write_bytes(path.read_bytes() + b"more")
        return original(picture, max_side)

    monkeypatch.setattr(photos, "upright_rgb", rewritten_meanwhile)
    assert reason(path) == "changed"
    assert len(calls) == 2, "one more try before it is given up"


def test_a_file_replaced_once_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    from indexer import photos

    path = saved(tmp_path, landscape(), "a.png")
    other = saved(tmp_path, Image.new("RGB", (10, 10), GREEN), "b.png")
    original = photos.upright_rgb

    def replaced_meanwhile(picture, max_side):
        if other.exists():
            os.replace(other, path)
        return original(picture, max_side)

    monkeypatch.setattr(photos, "upright_rgb", replaced_meanwhile)
    photo = decode(path)
    assert (photo.width, photo.height) == (10, 10)
    assert photo.hash == hash_file(path)


def test_time_and_camera_come_from_exif(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D\0junk"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:04 12:33:11"
    photo = decode(saved(tmp_path, landscape(), "a.jpg", exif=exif))
    assert (photo.taken_at, photo.camera) == ("2019-05-04T12:33:11", "Canon EOS 5D")
    exif[0x0110] = "X100"
    exif.get_ifd(0x8769)[0x9003] = "0000:00:00 00:00:00"
    photo = decode(saved(tmp_path, landscape(), "b.jpg", exif=exif))
    assert (photo.taken_at, photo.camera) == (None, "Canon X100")


def test_photos_can_be_read_from_several_threads_at_once(tmp_path):
    path = saved(tmp_path, landscape(), "a.jpg")
    failures = []

    def read():
        try:
            for _ in range(5):
                assert decode(path).width == 120
        except Exception as error:  # noqa: BLE001 - carried to the main thread
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
