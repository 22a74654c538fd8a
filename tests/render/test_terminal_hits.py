"""Hits with pictures, as a terminal shows them."""

from __future__ import annotations

import dataclasses
import io
import os
import pty
import threading

import pyte
import pytest
from hit_photos import answer_of, disc_photo, hit_of, read_photo

from usearch.render.terminal_hits import picture_cells, print_hits
from usearch.render.terminal_pictures import picture_protocol

ENVIRON = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


@pytest.fixture
def answer(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    hits = [hit_of(path, disc_photo(path), rank + 1) for rank, path in enumerate(paths)]
    return answer_of("red disc", hits)


def printed(answer, protocol, width=80, environ=ENVIRON, read=read_photo):
    out = io.StringIO()
    print_hits(out, answer, protocol, read_photo=read, environ=environ, width=width)
    return out.getvalue()


def screen_of(text, width=80, height=60):
    screen = pyte.Screen(width, height)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return screen


def test_the_picture_is_at_the_left_and_its_facts_beside_it(answer):
    screen = screen_of(printed(answer, "blocks"))
    lines = screen.display
    assert lines[0].startswith("red disc")
    row = next(i for i, line in enumerate(lines) if "1. 0.93" in line)
    assert lines[row][:5] == "▀▀▀▀▀"
    assert lines[row].index("1. 0.93") == 30
    told = " ".join(line[30:].strip() for line in lines[row : row + 8])
    assert "a.png" in told.replace(" ", "")
    assert "segment 65541" in told
    assert "box 70 50 130 110" in told


def test_the_segment_is_what_is_lit(answer):
    screen = screen_of(printed(answer, "blocks"))
    red = [(x, y) for y in range(2, 11) for x in range(28)
           if screen.buffer[y][x].fg.startswith("dc1e")]  # fmt: skip
    assert red
    # The view is centred on the box where the photo allows.
    assert 8 < sum(x for x, _ in red) / len(red) < 22


def test_each_hit_has_rows_of_its_own(answer):
    screen = screen_of(printed(answer, "blocks"))
    tops = [i for i, line in enumerate(screen.display) if ". 0.93" in line]
    rows = picture_cells(80)[1]
    assert tops[1] - tops[0] == rows + 1
    assert not screen.display[tops[1] - 1].strip()


@pytest.mark.parametrize("protocol", ["kitty", "iterm2", "sixel"])
def test_text_stands_beside_pictures_that_are_no_text(answer, protocol):
    import re

    text = printed(answer, protocol)
    bare = re.sub(r"\x1b_G[^\x1b]*\x1b\\|\x1b\][^\x07]*\x07|\x1bP[^\x1b]*\x1b\\", "", text)
    assert len(bare) < 2500 < len(text)
    # Save and restore stand around each picture: wherever it leaves the cursor, text is in place.
    assert bare.count("\x1b7\x1b8") == 2
    lines = screen_of(bare).display
    tops = [i for i, line in enumerate(lines) if ". 0.93" in line]
    assert [lines[i].index(f"{n}. 0.93") for n, i in enumerate(tops, 1)] == [30, 30]
    assert tops[1] - tops[0] == picture_cells(80)[1] + 1


def test_at_the_foot_of_the_screen_room_is_made_before_a_picture_is_drawn(answer):
    bare = printed(answer, "kitty")
    import re

    bare = re.sub(r"\x1b_G[^\x1b]*\x1b\\", "PICTURE", bare)
    lines = screen_of(bare, height=16).display
    assert sum("PICTURE" in line for line in lines) == 1
    row = next(i for i, line in enumerate(lines) if "PICTURE" in line)
    assert "2. 0.93" in lines[row]
    assert row + picture_cells(80)[1] < 16


def test_a_narrow_terminal_gets_text_alone(answer):
    assert picture_cells(30) == (0, 0)
    text = printed(answer, "blocks", width=30)
    assert "▀" not in text
    lines = screen_of(text, width=30).display
    assert any(line.startswith("1. 0.93") for line in lines)


@pytest.mark.parametrize("width", [1, 2, 10, 36, 37, 50, 200])
def test_lines_never_run_over_the_width(answer, width):
    long = dataclasses.replace(answer.hits[0], path="目" * 60 + "/" + "x" * 90)
    screen = screen_of(printed(answer_of("q", [long]), "blocks", width=width), width=max(width, 12))
    tall = [i for i, line in enumerate(screen.display) if line.strip()]
    assert tall
    if width >= 37:
        first = picture_cells(width)[0]
        assert all(not line[first : first + 2].strip() for line in screen.display[2:])


def test_a_photo_that_is_gone_has_its_reason_beside_the_empty_room(answer, tmp_path):
    (tmp_path / "a.png").unlink()
    screen = screen_of(printed(answer, "blocks"))
    # Lines break at words; how many there are depends on the length of the path.
    text = " ".join(line[30:].strip() for line in screen.display)
    assert "gone since it was indexed" in " ".join(text.split())
    assert "2. 0.93" in text


def test_names_and_questions_steer_no_terminal(answer):
    evil = dataclasses.replace(answer.hits[0], path="\x1b[2J\x1b]0;pwned\x07\u202e.png")
    text = printed(answer_of("\x1b[31mred\x07", [evil]), "blocks")
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred" in text


def test_a_real_terminal_shows_them_without_being_asked_anything(answer):
    """Nothing is read from the terminal: no answer is waited for, none is asked for."""
    ours, theirs = pty.openpty()
    taken = []

    def drain():
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                return
            if not data:
                return
            taken.append(data)

    reader = threading.Thread(target=drain)
    reader.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        protocol = picture_protocol(ENVIRON, stream)
        assert protocol == "blocks"
        print_hits(stream, answer, protocol, read_photo=read_photo, environ=ENVIRON, width=80)
    reader.join()
    os.close(ours)
    text = b"".join(taken).decode()
    for question in ("\x1b[c", "\x1b[6n", "\x1b[14t", "\x1b[16t", "a=q"):
        assert question not in text
    screen = pyte.Screen(80, 60)
    pyte.Stream(screen).feed(text)
    assert any("2. 0.93" in line and line.startswith("▀") for line in screen.display)
