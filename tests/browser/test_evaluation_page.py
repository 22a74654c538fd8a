"""The page of an evaluation in a real browser: offline, at any width, with hostile names."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from report_samples import reader, toy_report

from eval.report_page import report_page

HOSTILE = (
    '"><img src=x onerror=document.title="owned">',
    "</script><script>document.title='owned'</script>",
    "</title><style>*{display:none}</style>",
    "a \x1b[2J \u202egnp",
)


@pytest.fixture
def opened(tmp_path, watched):
    """Writes a page of a report and opens it; gives the watched page."""

    def go(report, read=None, **options):
        path = tmp_path / "report.html"
        path.write_text(report_page(report, read, **options), encoding="utf-8")
        watched.page.goto(path.as_uri())
        return watched

    return go


def quiet(watched):
    """The page asked for itself alone, and nothing went wrong in it."""
    assert watched.problems == []
    assert len(watched.requests) == 1
    return True


def test_photo_labels_and_prediction_are_drawn_side_by_side(opened):
    watched = opened(toy_report(), reader()[0], n_photos=2)
    page = watched.page
    assert page.locator(".shot").count() == 4
    frames = page.locator(".shot").first.locator(".frame")
    assert frames.count() == 3
    pictures = []
    for frame in frames.all():
        with Image.open(io.BytesIO(frame.screenshot())) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    photo, labels, _ = pictures
    assert np.ptp(photo[len(photo) // 2], axis=1).max() <= 2  # the toy photo is grey
    # The labels have a class's hue wherever they lie over the photo.
    assert np.ptp(labels[len(labels) // 2, 4:-4], axis=1).min() > 20
    assert quiet(watched)


def test_the_strength_of_the_colours_can_be_turned_to_nothing(opened):
    watched = opened(toy_report(), reader()[0], n_photos=1)
    frame = watched.page.locator(".frame").nth(1)
    watched.page.locator("#mix").fill("0")
    with Image.open(io.BytesIO(frame.screenshot())) as picture:
        bare = np.asarray(picture.convert("RGB")).astype(int)
    assert np.ptp(bare[len(bare) // 2], axis=1).max() <= 2
    assert quiet(watched)


def test_classes_are_sorted_and_found(opened):
    watched = opened(toy_report())
    page = watched.page
    rows = page.locator("#table tbody tr")

    def shown():
        return [row.locator("th").inner_text() for row in rows.all() if row.is_visible()]

    assert shown() == ["sky", "road", "a <b>tall</b> tree", "cat"]
    page.get_by_role("button", name="IoU").click()
    best = shown()
    assert best[-1] == "cat"  # no value: last, whichever way the others go
    page.get_by_role("button", name="IoU").click()
    assert shown() == [*best[:3][::-1], "cat"]
    page.get_by_role("button", name="class").click()
    assert shown() == ["a <b>tall</b> tree", "cat", "road", "sky"]
    page.get_by_role("searchbox").fill("OA")
    assert shown() == ["road"]
    assert page.locator("#count").inner_text() == "1 of 4 classes"
    assert quiet(watched)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_width_makes_the_page_itself_scroll_sideways(opened, width):
    rows = [dataclasses.replace(row, name=row.name * 20) for row in toy_report().classes]
    report = dataclasses.replace(toy_report(), classes=tuple(rows))
    watched = opened(report, reader()[0], n_photos=1)
    watched.page.set_viewport_size({"width": width, "height": 800})
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_both_schemes(opened, scheme):
    watched = opened(toy_report())
    watched.page.emulate_media(color_scheme=scheme)
    ink, ground = watched.page.evaluate(
        """() => [getComputedStyle(document.querySelector(".facts")).color,
                  getComputedStyle(document.documentElement).backgroundColor]"""
    )
    assert contrast(ink, ground) >= 4.5


def contrast(first, second):
    """Contrast of two CSS colours as WCAG defines it."""

    def luminance(colour):
        channels = np.array([float(v) for v in colour[4:-1].split(",")]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(opened, name):
    rows = [dataclasses.replace(row, name=name, taken_for=name) for row in toy_report().classes]
    report = dataclasses.replace(
        toy_report(system=name, command=name, notes=(name,)), classes=tuple(rows)
    )
    watched = opened(report, reader()[0], n_photos=1)
    assert watched.page.title().startswith("toy: ")
    assert watched.page.locator("#table tbody tr").first.is_visible()
    assert quiet(watched)
