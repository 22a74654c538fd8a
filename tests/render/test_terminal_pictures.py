"""Pictures in terminals, read back by readers of their own: each shows what was drawn."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from usearch.errors import UsageError
from usearch.render.terminal_pictures import (
    CELL,
    PROTOCOLS,
    cell_size,
    has_true_colour,
    picture_protocol,
    terminal_picture,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


def scene(height=120, width=180):
    """Four flat quarters: red, green, blue and grey."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 175, 95)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (118, 118, 118)
    return image


def quarters_of(image):
    height, width = image.shape[:2]
    return [
        tuple(int(v) for v in image[y, x])
        for y in (height // 4, 3 * height // 4)
        for x in (width // 4, 3 * width // 4)
    ]


# ---- which protocol ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230804"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "200400"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode"}, "blocks"),
        ({"TERM": "linux"}, "blocks"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, "blocks"),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, "blocks"),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, "none"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, "none"),
        ({"TERM": "xterm-kitty", "NO_COLOR": ""}, "kitty"),
        ({"TERM": "vt100"}, "none"),
        ({}, "none"),
    ],
)
def test_the_environment_says_what_a_terminal_shows(environ, protocol):
    assert picture_protocol(environ, Terminal()) == protocol


@pytest.mark.parametrize("wanted", PROTOCOLS)
def test_what_is_asked_for_wins_over_what_is_guessed(wanted):
    assert picture_protocol({"TERM": "dumb", "NO_COLOR": "1"}, Terminal(), wanted) == wanted


@pytest.mark.parametrize("wanted", ["auto", *PROTOCOLS])
def test_what_is_no_terminal_never_gets_a_picture(wanted):
    assert picture_protocol({"TERM": "xterm-kitty"}, io.StringIO(), wanted) == "none"
    assert picture_protocol({"TERM": "xterm-kitty"}, None, wanted) == "none"


def test_a_terminal_that_cannot_write_blocks_gets_none():
    terminal = Terminal()
    terminal.encoding = "iso-8859-1"
    assert picture_protocol({"TERM": "xterm-256color"}, terminal) == "none"


def test_an_unknown_protocol_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match="'jpeg' is no way"):
        picture_protocol({"TERM": "xterm"}, Terminal(), "jpeg")


@pytest.mark.parametrize(
    ("environ", "true_colour"),
    [({"COLORTERM": "truecolor"}, True), ({"COLORTERM": "24bit"}, True),
     ({"TERM": "xterm-direct"}, True), ({"TERM": "xterm-256color"}, False), ({}, False)],
)  # fmt: skip
def test_colours_are_those_that_the_terminal_has(environ, true_colour):
    assert has_true_colour(environ) == true_colour


# ---- what is drawn ----------------------------------------------------------------------


def test_kitty_gets_a_png_in_chunks_of_at_most_4096_characters():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    drawn = terminal_picture(noise, 30, 10, "kitty")
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", drawn)
    assert "".join(f"\x1b_G{k};{d}\x1b\\" for k, d in parts) == drawn
    assert len(parts) > 3
    assert all(len(data) <= 4096 and len(data) % 4 == 0 for _, data in parts)
    first = dict(pair.split("=") for pair in parts[0][0].split(","))
    assert first == {"a": "T", "f": "100", "q": "2", "C": "1", "c": "30", "r": "10", "m": "1"}
    assert [keys for keys, _ in parts[1:]] == ["m=1"] * (len(parts) - 2) + ["m=0"]
    data = base64.b64decode("".join(data for _, data in parts))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), noise)


def test_kitty_gets_one_chunk_where_one_is_enough():
    drawn = terminal_picture(scene(8, 12), 6, 2, "kitty")
    assert drawn.count("\x1b_G") == 1
    assert ",m=0;" in drawn


def test_iterm2_gets_one_sequence_with_the_size_of_its_data():
    drawn = terminal_picture(scene(), 18, 6, "iterm2")
    keys, data = re.fullmatch(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", drawn).groups()
    told = dict(pair.split("=") for pair in keys.split(";"))
    raw = base64.b64decode(data, validate=True)
    assert told == {"inline": "1", "size": str(len(raw)), "width": "18", "height": "6",
                    "preserveAspectRatio": "1"}  # fmt: skip
    with Image.open(io.BytesIO(raw)) as picture:
        shown = quarters_of(np.asarray(picture.convert("RGB")))
    assert np.abs(np.array(shown) - quarters_of(scene())).max() < 8


def read_sixel(text):
    """A sixel picture as an array; -1 where nothing is painted. Knows nothing of the writer."""
    body = re.fullmatch(r"\x1bP[0-9;]*q(.*)\x1b\\", text, re.DOTALL).group(1)
    _, _, width, height = (int(n) for n in re.match(r'"(\d+);(\d+);(\d+);(\d+)', body).groups())
    out = np.full((-(-height // 6) * 6, width, 3), -1)
    colours, colour, x, y, times = {}, None, 0, 0, 1
    for token in re.findall(r'"[\d;]+|#\d+(?:;\d+)*|!\d+|[?-~]|[$-]', body):
        if token[0] == '"':
            continue
        if token[0] == "#":
            colour, *rest = (int(n) for n in token[1:].split(";"))
            if rest:
                assert rest[0] == 2
                colours[colour] = [round(n * 255 / 100) for n in rest[1:]]
        elif token[0] == "!":
            times = int(token[1:])
        elif token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        else:
            for bit in range(6):
                if (ord(token) - 63) >> bit & 1:
                    out[y + bit, x : x + times] = colours[colour]
            x, times = x + times, 1
    return out[:height]


def test_sixels_show_the_picture_whole():
    shown = read_sixel(terminal_picture(scene(), 18, 6, "sixel"))
    assert shown.shape == (120, 180, 3)
    assert (shown >= 0).all()
    assert np.abs(np.array(quarters_of(shown)) - quarters_of(scene())).max() <= 3


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_sixels_of_any_size_fill_their_room_and_every_pixel(height, width, columns, rows):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    shown = read_sixel(terminal_picture(image, columns, rows, "sixel"))
    assert (shown >= 0).all()
    room = rows * CELL[1], columns * CELL[0]
    assert shown.shape[0] <= room[0]
    assert shown.shape[1] <= room[1]
    assert shown.shape[0] == room[0] or shown.shape[1] == room[1]


def test_sixels_of_few_colours_have_exactly_these():
    image = scene()
    shown = read_sixel(terminal_picture(image, 18, 6, "sixel"))
    assert shown.shape == image.shape
    assert np.abs(shown - image.astype(int)).max() <= 2


def on_screen(text, columns, rows):
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen


def halves(screen, columns, rows):
    """Colours of the upper and lower half of each cell, uint8 [2 rows, columns, 3]."""
    out = np.zeros((2 * rows, columns, 3), int)
    for y in range(rows):
        for x in range(columns):
            cell = screen.buffer[y][x]
            assert cell.data == "▀"
            out[2 * y, x] = tuple(bytes.fromhex(cell.fg))
            out[2 * y + 1, x] = tuple(bytes.fromhex(cell.bg))
    return out


def test_blocks_are_two_pixels_a_cell_in_true_colour():
    image = np.random.default_rng(0).integers(0, 256, (12, 18, 3)).astype(np.uint8)
    screen = on_screen(terminal_picture(image, 18, 6, "blocks"), 20, 8)
    np.testing.assert_array_equal(halves(screen, 18, 6), image)
    assert screen.buffer[0][18].bg == "default"


def test_blocks_of_256_colours_take_the_nearest():
    screen = on_screen(terminal_picture(scene(), 18, 6, "blocks", true_colour=False), 20, 8)
    assert quarters_of(halves(screen, 18, 6)) == quarters_of(scene())
    image = np.random.default_rng(1).integers(0, 256, (12, 18, 3)).astype(np.uint8)
    screen = on_screen(terminal_picture(image, 18, 6, "blocks", true_colour=False), 20, 8)
    assert np.abs(halves(screen, 18, 6) - image).mean() < 18


@given(
    st.integers(1, 300), st.integers(1, 300), st.integers(1, 40), st.integers(1, 20),
    st.sampled_from(["kitty", "iterm2", "blocks"]),
)  # fmt: skip
def test_a_picture_keeps_its_shape_and_its_room(height, width, columns, rows, protocol):
    drawn = terminal_picture(np.zeros((height, width, 3), np.uint8), columns, rows, protocol)
    if protocol == "blocks":
        lines = drawn.split("\n")
        across, down = lines[0].count("▀"), len(lines)
    else:
        found = re.search(r"(?:c|width)=(\d+)[,;](?:r|height)=(\d+)", drawn)
        across, down = int(found[1]), int(found[2])
    assert 1 <= across <= columns
    assert 1 <= down <= rows
    if min(across, down) > 3:
        shown = across * CELL[0] / (down * CELL[1])
        assert shown == pytest.approx(width / height, rel=0.25)


def test_no_protocol_draws_nothing():
    assert terminal_picture(scene(), 10, 5, "none") == ""


def test_the_size_of_a_cell_is_asked_of_the_driver_and_doubted():
    import fcntl
    import os
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w") as stream:
            for answer, cell in (((24, 80, 640, 384), (8, 16)), ((24, 80, 0, 0), CELL),
                                 ((24, 80, 80, 24), CELL), ((0, 0, 0, 0), CELL)):  # fmt: skip
                fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", *answer))
                assert cell_size(stream) == cell
    finally:
        os.close(ours)
    assert cell_size(io.StringIO()) == CELL


def test_the_setting_knows_the_same_protocols():
    from usearch.settings import SETTINGS

    assert SETTINGS["preview"].choices == ("auto", *PROTOCOLS)
