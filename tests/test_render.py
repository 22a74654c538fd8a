"""Pictures: what is lit, what is dimmed, what has room, what stays inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from usearch.render.class_files import write_class_map
from usearch.render.hits import Tile, contact_sheet, spotlight, view_around
from usearch.render.label_places import connected_parts, depths, label_places
from usearch.render.lettering import fitted, text_width
from usearch.render.overlay import class_overlay
from usearch.render.palette import class_colours
from usearch.render.safe_text import printable
from usearch.render.tables import bar, percent


def photo(height=80, width=120, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def disc(height=80, width=120, radius=20):
    y, x = np.mgrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2


def test_the_segment_keeps_its_pixels_and_the_rest_is_dimmed():
    image, mask = photo(), disc()
    lit = spotlight(image, mask)
    core = disc(radius=18)  # the outline's steps are rounded off
    np.testing.assert_array_equal(lit[core], image[core])
    far = ~disc(radius=34)
    assert lit[far].mean() < 0.6 * image[far].mean()


def test_the_outline_runs_around_the_segment_in_the_accent():
    lit = spotlight(np.zeros((80, 120, 3), np.uint8), disc(), accent=(255, 0, 0))
    ring = disc(radius=21) & ~disc()
    assert lit[ring].mean(0)[0] > 150
    assert lit[~disc(radius=34)].max() == 0


def test_a_segment_that_is_the_whole_photo_is_framed():
    lit = spotlight(np.zeros((80, 120, 3), np.uint8), np.ones((80, 120), bool), accent=(255, 0, 0))
    assert (lit[0] == (255, 0, 0)).all()
    assert (lit[:, -1] == (255, 0, 0)).all()
    assert lit[20:60, 20:100].max() == 0


def test_a_mask_of_another_size_is_scaled_to_the_photo():
    lit = spotlight(photo(160, 240), disc())
    assert lit.shape == (160, 240, 3)
    np.testing.assert_array_equal(lit[80, 120], photo(160, 240)[80, 120])


def test_a_mask_of_one_pixel_is_still_shown():
    mask = np.zeros((80, 120), bool)
    mask[40, 60] = True
    lit = spotlight(np.zeros((20, 30, 3), np.uint8), mask)
    assert lit.max() > 100


@given(
    st.tuples(st.integers(8, 4000), st.integers(8, 4000)),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.sampled_from([0.5, 1.0, 4 / 3]),
)
def test_a_view_lies_in_the_photo_and_holds_the_box(size, corners, aspect):
    width, height = size
    x0, x1 = sorted(c * width for c in corners[:2])
    y0, y1 = sorted(c * height for c in corners[2:])
    left, top, right, bottom = view_around(size, (x0, y0, x1, y1), aspect)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert left <= x0 + 1
    assert x1 <= right + 1
    assert top <= y0 + 1
    assert y1 <= bottom + 1


def test_a_sheet_is_as_wide_as_asked_and_holds_every_tile():
    tiles = [Tile(np.full((60, 60 + 20 * i, 3), 40 * i + 50, np.uint8), f"{i}.jpg", 0.1 * i)
             for i in range(5)]  # fmt: skip
    sheet = contact_sheet("red car", tiles, width=700)
    assert sheet.shape[1] == 700
    for i in range(5):
        # LANCZOS leaves the middle of an even picture as it is.
        assert (sheet == 40 * i + 50).all(2).sum() > 3000


def test_an_overlay_tints_each_class_with_its_colour():
    grey = np.full((200, 300, 3), 128, np.uint8)
    labels = np.zeros((200, 300), np.uint8)
    labels[:, 100:200] = 1
    labels[:, 200:] = 255
    shown = class_overlay(grey, labels, ["sky", "grass"], legend=False)
    assert shown.shape == grey.shape
    left, middle, right = (shown[190, x].astype(int) for x in (10, 150, 290))
    for seen, colour in ((left, class_colours(2)[0]), (middle, class_colours(2)[1])):
        assert np.abs(seen - (0.58 * colour + 0.42 * 128)).max() <= 1
    assert (right == right[0]).all()
    assert right[0] < 128


def test_a_legend_stands_beside_the_photo_and_leaves_it_alone():
    labels = np.zeros((200, 300), np.uint8)
    plain = class_overlay(photo(200, 300), labels, ["sky"], legend=False)
    both = class_overlay(photo(200, 300), labels, ["sky"])
    assert both.shape[1] > 300
    np.testing.assert_array_equal(both[:, :300], plain)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (12, 12), (700, 30)])
def test_an_overlay_of_any_shape_is_drawn(shape):
    labels = np.zeros(shape, np.uint8)
    shown = class_overlay(photo(*shape), labels, ["a class with a long name"])
    assert shown.shape[0] == shape[0]


def test_a_long_list_of_classes_keeps_the_legend_in_the_picture():
    labels = np.arange(200, dtype=np.uint8).repeat(100).reshape(100, 200)
    shown = class_overlay(photo(100, 200), labels, [f"class {i}" for i in range(200)])
    assert shown.shape[0] == 100


def blobs(seed, height=60, width=80, n=5):
    """A map of a few blobs on a ground of value 0."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[:height, :width]
    for value in range(1, n):
        cy, cx, r = rng.integers(height), rng.integers(width), rng.integers(3, 25)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = value
    return labels


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 8))
def test_labels_lie_in_their_regions_and_on_no_other_label(seed, wide, high):
    labels = blobs(seed)
    places = label_places(
        labels, lambda value, scale: (max(1, round(wide * scale)), high), (1, 0.5), 1
    )
    taken = np.zeros(labels.shape, bool)
    for place in places:
        width = max(1, round(wide * place.scale))
        left, top = round(place.x - width / 2), round(place.y - high / 2)
        inside = labels[top : top + high, left : left + width]
        assert inside.shape == (high, width)
        assert (inside == place.value).mean() >= 0.94
        assert not taken[top : top + high, left : left + width].any()
        taken[top : top + high, left : left + width] = True


def test_a_label_stands_where_its_region_is_widest():
    labels = np.zeros((60, 100), np.uint8)
    labels[:, 60:] = 1
    labels[28:32, :60] = 1
    [ground, right] = sorted(
        (p for p in label_places(labels, lambda *_: (12, 6), (1.0,), 1000)), key=lambda p: p.value
    )[-2:]
    assert right.value == 1
    assert 70 <= right.x <= 90
    assert ground.value == 0


def test_a_region_too_small_for_its_name_and_one_without_name_get_none():
    labels = np.zeros((40, 40), np.uint8)
    labels[10:14, 10:14] = 1
    found = label_places(labels, lambda value, _: (8, 4), (1.0, 0.9), 1)
    assert [place.value for place in found] == [0]
    assert label_places(labels, lambda *_: None, (1.0,), 1) == []
    assert label_places(labels, lambda *_: (50, 4), (1.0,), 1) == []


def test_a_smaller_label_is_tried_where_the_full_one_has_no_room():
    labels = np.zeros((40, 40), np.uint8)
    labels[10:14, 10:18] = 1
    room = lambda value, scale: (round(12 * scale), 4)  # noqa: E731
    scales = {place.value: place.scale for place in label_places(labels, room, (1.0, 0.6), 1)}
    assert scales == {0: 1.0, 1: 0.6}


def test_what_is_unknown_is_striped_and_named_in_the_legend():
    grey = np.full((200, 300, 3), 128, np.uint8)
    labels = np.full((200, 300), 254, np.uint8)
    labels[:, :100] = 0
    labels[:, 200:] = 253
    shown = class_overlay(grey, labels, ["sky"], legend=False)
    assert len(np.unique(shown[20:180, 110:190].reshape(-1, 3), axis=0)) == 2
    assert len(np.unique(shown[20:180, 210:290].reshape(-1, 3), axis=0)) == 1
    rows = class_overlay(grey, labels, ["sky"])[:, 300:]
    alone = class_overlay(grey, np.zeros_like(labels), ["sky"])[:, 300:]
    ink = [(np.abs(part.astype(int) - part[-1, -1]).sum(2) > 60).any(1) for part in (rows, alone)]
    lines = [np.sum(np.diff(rows.astype(int)) == 1) for rows in ink]
    assert lines == [3, 1]


def test_a_map_is_drawn_without_its_photo():
    labels = blobs(1, 200, 300)
    shown = class_overlay(None, labels, [f"class {i}" for i in range(5)])
    assert shown.shape[0] == 200
    assert shown.shape[1] > 300
    with pytest.raises(ValueError, match="a map of"):
        class_overlay(photo(), labels, ["sky"])


def test_the_palette_of_a_map_shows_what_is_no_class_apart(tmp_path):
    labels = np.uint8([[0, 1, 253, 254, 255]])
    write_class_map(tmp_path / "map.png", labels, 2)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.mode == "P"
        colours = np.asarray(picture.convert("RGB"))[0]
    assert len(np.unique(colours, axis=0)) == 5


def test_an_overlay_of_another_size_than_its_map_is_refused():
    with pytest.raises(ValueError, match="a map of"):
        class_overlay(photo(), np.zeros((3, 3), np.uint8), ["sky"])


def test_a_map_is_read_back_as_it_was_written(tmp_path):
    for dtype, none, n in ((np.uint8, 255, 4), (np.uint16, 65535, 300)):
        labels = np.random.default_rng(0).integers(0, n, (9, 7)).astype(dtype)
        labels[0, 0] = none
        write_class_map(tmp_path / "map.png", labels, n)
        with Image.open(tmp_path / "map.png") as picture:
            read = np.asarray(picture)
        np.testing.assert_array_equal(read, labels)
        assert read.dtype == dtype


def test_colours_do_not_depend_on_how_many_there_are():
    np.testing.assert_array_equal(class_colours(150)[:20], class_colours(20))


def test_the_first_colours_are_far_apart():
    colours = class_colours(24).astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(2) + 1000 * np.eye(24, dtype=int)
    assert apart.min() > 40


def test_text_is_cut_to_its_room_with_an_ellipsis():
    assert fitted("cat", 20, 500) == "cat"
    cut = fitted("a very long name indeed", 20, 100)
    assert cut.endswith("…")
    assert text_width(cut, 20) <= 100


@given(st.text())
def test_printable_text_holds_nothing_that_steers_a_terminal(text):
    shown = printable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u2028" for c in shown)
    shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_of_any_script_is_left_alone(text):
    assert printable(text) == text


def test_bytes_of_a_name_that_is_no_utf8_are_shown_as_bytes():
    assert printable("caf\udce9") == r"caf\xe9"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0 %"), (0.0001, "<0.1 %"), (0.0042, "0.4 %"), (0.25, "25 %"), (1.0, "100 %")],
)
def test_shares_are_as_exact_as_a_person_reads_them(share, shown):
    assert percent(share) == shown


def test_a_bar_grows_with_the_share_and_never_past_its_width():
    assert bar(0, 8) == ""
    assert bar(0.5, 8) == "████"
    assert len(bar(2.0, 8)) == 8
    assert bar(1 / 64, 8) == "▏"


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (20, 30)])
def test_parts_and_their_depths_are_those_of_scipy(size: tuple[int, int]) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    labels = np.random.default_rng(0).integers(0, 3, size).astype(np.uint8)
    parts = connected_parts(labels)
    found = sum(ndimage.label(labels == value)[1] for value in np.unique(labels))
    assert len(np.unique(parts)) == found == parts.max() + 1
    deep = depths(parts)
    for part in range(found):
        assert len(np.unique(labels[parts == part])) == 1
        steps = ndimage.distance_transform_cdt(np.pad(parts == part, 1), "taxicab")[1:-1, 1:-1]
        assert np.array_equal(deep[parts == part], steps[parts == part])
