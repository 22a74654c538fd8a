"""The page of a report, as text: which photos it shows, that it stays small, that it is safe."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from report_samples import blank, names_of, photo_maps, reader, tally_of, toy_report

from eval.page_photos import pictures
from eval.report import with_maps
from eval.report_page import Shown, report_page
from usearch.errors import InputError
from usearch.render.palette import class_colours


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def shots(html):
    return re.findall(r'<li class="shot (bad|good)">.*?<h3>(.*?)</h3>', html, re.DOTALL)


def test_the_worst_and_the_best_photos_are_read_and_no_other():
    read, asked = reader(12)
    found = shots(report_page(toy_report(), read, n_photos=2))
    assert found == [
        ("bad", "val/011.jpg"), ("bad", "val/010.jpg"),
        ("good", "val/000.jpg"), ("good", "val/001.jpg"),
    ]  # fmt: skip
    assert asked == [name for _, name in found]


def test_of_few_photos_each_is_shown_once():
    read, asked = reader(3)
    report_page(toy_report(3), read)
    assert sorted(asked) == names_of(3)


def test_without_a_reader_the_figures_alone_are_there():
    html = report_page(toy_report())
    assert shots(html) == []
    assert f"{100 * toy_report().metrics['miou_present']:.1f}" in html
    assert "a &lt;b&gt;tall&lt;/b&gt; tree" in html


def test_a_photo_that_cannot_be_read_is_named_in_its_place():
    def read(name):
        raise InputError(f"{name} is <gone>")

    html = report_page(toy_report(), read, n_photos=1)
    assert "val/011.jpg is &lt;gone&gt;" in html


def test_a_photo_without_labels_is_no_worst_photo():
    maps = photo_maps(3, 0.5)
    maps[1] = (np.full_like(maps[1][0], 65535), maps[1][1])
    report = with_maps(blank(3), tally_of(maps), names_of(3), ("a", "b", "c", "d"))
    read, asked = reader(3)
    report_page(report, read)
    assert "val/001.jpg" not in asked


def test_the_page_needs_nothing_but_itself():
    read, _ = reader()
    tags = Tags(report_page(toy_report(), read)).found
    for tag, attributes in tags:
        assert tag not in ("base", "form", "iframe", "object")
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))


def test_names_from_outside_stay_text():
    hostile = '</style><script>alert(1)</script>"\u202e\x1b[2J'
    rows = [
        dataclasses.replace(row, name=hostile, taken_for=hostile) for row in toy_report().classes
    ]
    report = dataclasses.replace(
        toy_report(system=hostile, command=hostile, notes=(hostile,), options={hostile: hostile}),
        classes=tuple(rows),
    )
    html = report_page(report)
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert html.count("<script>") == 1


def test_many_photos_make_no_larger_page():
    names = names_of(900)
    maps = photo_maps(6, 0.5)
    tally = tally_of(maps[i % 6] for i in range(900))
    many = with_maps(blank(900), tally, names, ("a", "b", "c", "d"))
    read, _ = reader(6)
    html = report_page(many, lambda name: read(names[int(name[4:-4]) % 6]))
    few = report_page(toy_report(), reader()[0])
    assert len(html) < 2.5 * len(few)


def test_maps_have_the_colours_of_their_classes_and_are_clear_where_there_is_none():
    import base64
    import io

    from PIL import Image

    truth = np.array([[0, 1], [300, 65535]], np.uint16).repeat(40, 0).repeat(40, 1)
    made = pictures(Shown(np.zeros((80, 80, 3), np.uint8), truth, truth), 847)
    raw = base64.b64decode(made.truth.partition(",")[2])
    with Image.open(io.BytesIO(raw)) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    colours = class_colours(847)
    for place, row in (((10, 10), 0), ((10, 70), 1), ((70, 10), 300)):
        assert pixels[place].tolist() == [*colours[row].tolist(), 255]
    assert pixels[70, 70, 3] == 0


@pytest.mark.parametrize("n_classes", [400, 847])
def test_a_photo_with_more_classes_than_a_palette_has(n_classes):
    rows = np.arange(n_classes, dtype=np.uint16)
    truth = np.resize(rows, (n_classes, 1)).repeat(300, 1)
    made = pictures(Shown(np.zeros((n_classes, 300, 3), np.uint8), truth, truth), n_classes)
    assert made.truth.startswith("data:image/png")
