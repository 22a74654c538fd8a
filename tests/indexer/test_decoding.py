"""Reading photos: what is shown, at which size, and why a file is refused."""

import io
import os
import struct
import sys
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, JpegImagePlugin

from indexer.photos import REASONS, PhotoError, SameContent, decode, hash_file

RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (30, 160, 60)


def landscape(width=120, height=80):
    """A picture in which every orientation and colour error shows: red top left, blue bottom
    right, a smooth green ramp between them."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[...] = np.linspace(40, 200, width)[None, :, None] * np.array([0.3, 1.0, 0.4])
    pixels[: height // 3, : width // 3] = RED
    pixels[-height // 3 :, -width // 3 :] = BLUE
    return Image.fromarray(pixels)


def saved(folder, picture, name, **options):
    path = folder / name
    picture.save(path, **options)
    return path


def reason(path, **options):
    with pytest.raises(PhotoError) as caught:
        decode(path, **options)
    assert caught.value.reason in REASONS
    assert "\n" not in caught.value.detail and caught.value.detail
    return caught.value.reason


def difference(one, other):
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


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


# Colour models


def test_cmyk_jpeg_with_the_adobe_marker_equals_its_rgb_twin(tmp_path):
    path = saved(tmp_path, landscape().convert("CMYK"), "a.jpg", quality=95)
    assert b"Adobe" in path.read_bytes()
    assert difference(decode(path).image, landscape()) < 6


def test_cmyk_jpeg_without_the_adobe_marker_is_not_inverted(tmp_path):
    # Pillow writes inverted values and the marker; take out the marker and invert the values.
    inks = Image.eval(landscape().convert("CMYK"), lambda value: 255 - value)
    data = saved(tmp_path, inks, "a.jpg", quality=95).read_bytes()
    start = data.index(b"\xff\xee")
    length = struct.unpack(">H", data[start + 2 : start + 4])[0]
    path = tmp_path / "plain.jpg"
    path.write_bytes(data[:start] + data[start + 2 + length :])
    assert difference(decode(path).image, landscape()) < 6


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, ending):
    ramp = np.linspace(0, 65535, 256 * 4).reshape(4, 256).astype(np.uint16)
    photo = decode(saved(tmp_path, Image.fromarray(ramp), f"a.{ending}"))
    assert np.abs(photo.image[..., 0].astype(int) - ramp // 256).max() <= 1


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_of(width, height, bits, rows):
    """An RGB PNG with a header of its own choosing."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def test_16_bit_rgb_is_scaled_and_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 8 * 32 * 3).reshape(8, 32, 3)
    path = tmp_path / "a.png"
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    path.write_bytes(png_of(32, 8, 16, rows))  # Pillow cannot write one
    assert np.abs(decode(path).image - values / 257).max() <= 1.01


def test_32_bit_integers_are_scaled_by_the_16_bit_range(tmp_path):
    values = np.array([[0, 32768, 65535]], np.int32)
    photo = decode(saved(tmp_path, Image.fromarray(values), "a.tif"))
    assert photo.image[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-2.0, 0.0, 2.0], [0, 128, 255]),
        ([0.0, 1.0, np.nan, np.inf, -np.inf], [0, 255, 0, 255, 0]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
    ],
)
def test_float_tiffs_follow_the_documented_rule(tmp_path, values, shown):
    picture = Image.fromarray(np.array([values], np.float32))
    photo = decode(saved(tmp_path, picture, "a.tif"))
    assert photo.image[0, :, 0].tolist() == shown


def test_transparent_pixels_show_white_and_half_transparent_ones_half(tmp_path):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0] = [(200, 0, 0, 255), (200, 0, 0, 128), (200, 0, 0, 0)]
    photo = decode(saved(tmp_path, Image.fromarray(pixels), "a.png"))
    assert photo.image[0].tolist() == [[200, 0, 0], [227, 127, 127], [255, 255, 255]]


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_alpha_survives_shrinking_without_a_dark_rim(tmp_path, ending):
    pixels = np.zeros((64, 2048, 4), np.uint8)
    pixels[:, :1024] = (10, 200, 10, 255)  # opaque green beside transparent black
    path = saved(tmp_path, Image.fromarray(pixels), f"a.{ending}", lossless=True)
    image = decode(path, max_side=256).image
    assert image.shape == (8, 256, 3)
    assert image[:, :, 1].min() >= 199


def test_grey_with_alpha_and_palette_with_transparency_are_composited(tmp_path):
    grey = Image.fromarray(np.full((4, 4), 50, np.uint8))
    grey.putalpha(Image.fromarray(np.where(np.eye(4) > 0, 0, 255).astype(np.uint8)))
    image = decode(saved(tmp_path, grey, "la.png")).image
    assert image[0, 0].tolist() == [255] * 3 and image[0, 1].tolist() == [50] * 3
    palette = landscape().quantize(8)
    index = palette.getpixel((0, 0))
    image = decode(saved(tmp_path, palette, "p.png", transparency=index)).image
    assert image[0, 0].tolist() == [255] * 3


def test_palette_one_bit_and_grey_pictures_are_shown(tmp_path):
    assert (
        difference(decode(saved(tmp_path, landscape().quantize(64), "p.gif")).image, landscape())
        < 12
    )
    bits = landscape().convert("1")
    assert set(np.unique(decode(saved(tmp_path, bits, "bits.png")).image)) == {0, 255}
    grey = landscape().convert("L")
    assert difference(decode(saved(tmp_path, grey, "grey.jpg")).image, grey.convert("RGB")) < 4


def test_a_profile_that_is_not_srgb_is_applied_and_a_broken_one_ignored(tmp_path):
    swapped = _profile_with_red_and_blue_swapped()
    picture = landscape()
    turned = decode(saved(tmp_path, picture, "swapped.png", icc_profile=swapped)).image
    assert difference(turned[..., ::-1], picture) < 12 < difference(turned, picture)
    broken = decode(saved(tmp_path, picture, "broken.png", icc_profile=b"no profile" * 30)).image
    assert difference(broken, picture) == 0
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (
        difference(decode(saved(tmp_path, picture, "srgb.png", icc_profile=srgb)).image, picture)
        == 0
    )


def _profile_with_red_and_blue_swapped():
    """An sRGB profile whose primaries for red and blue have changed places, under another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    for tag in range(count):
        at = 132 + 12 * tag
        name = bytes(data[at : at + 4])
        if name in (b"rXYZ", b"bXYZ"):
            data[at : at + 4] = b"bXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


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


# Refusals


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
