"""Reading photos of every colour model, depth and transparency."""

import struct

import numpy as np
import pytest
from photo_samples import difference, landscape, png_of, saved
from PIL import Image, ImageCms

from indexer.photos import decode


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
