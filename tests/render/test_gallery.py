"""The gallery as a file: it holds all it needs, within its budget, and nothing more."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hit_photos import answer_of, disc_photo, hit_of, read_photo
from PIL import Image

from usearch.render.gallery import gallery_html


def page(*answers, title="red disc", read=read_photo, **options):
    return gallery_html(answers, title=title, read_photo=read, **options)


@pytest.fixture
def answer(tmp_path):
    hits = []
    for rank in (1, 2):
        path = tmp_path / f"{rank}.png"
        hits.append(hit_of(path, disc_photo(path, (300, 400)), rank))
    return answer_of("red disc", hits)


class Attributes(HTMLParser):
    """All attributes of all elements."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, name, value or "") for name, value in attributes]


def test_nothing_is_loaded_from_anywhere(answer):
    for tag, name, value in Attributes(page(answer)).found:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("style", "src", "srcset", "action", "background"), (tag, name)
        if name == "href":
            assert value.startswith(("#", "data:")), (tag, value)


def test_the_policy_names_the_style_and_the_script_by_their_hashes(answer):
    html = page(answer)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_a_photo_is_embedded_once_however_many_hits_it_has(answer):
    hit = answer.hits[0]
    many = [dataclasses.replace(hit, rank=rank) for rank in range(1, 9)]
    html = page(answer_of("a", many), answer_of("b", many))
    assert html.count("data:image/jpeg") == 1
    assert html.count('<use href="#p1"/>') == 16


def embedded(html):
    for data in re.findall(r'href="data:image/jpeg;base64,([^"]+)"', html):
        yield Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_embedded_photos_hold_pixels_and_no_metadata(answer):
    pictures = list(embedded(page(answer)))
    assert [picture.size for picture in pictures] == [(400, 300)] * 2
    assert not any(picture.getexif() or "exif" in picture.info for picture in pictures)


def noisy(path, max_side):
    """A hard photo for JPEG, 800 pixels long."""
    rng = np.random.default_rng(len(path))
    side = min(max_side, 800)
    coarse = rng.integers(0, 256, (side * 3 // 16, side // 4, 3)).astype(np.uint8)
    return coarse.repeat(4, 0).repeat(4, 1)


def test_photos_are_made_as_small_as_the_budget_asks(tmp_path):
    mask = np.zeros((300, 400), bool)
    mask[50:100, 60:90] = True
    hits = [hit_of(tmp_path / f"{rank}.png", mask, rank) for rank in range(1, 5)]
    large, small = (
        page(answer_of("q", hits), read=noisy, budget=budget) for budget in (6_000_000, 300_000)
    )
    assert sum(map(len, re.findall(r'href="(data:image/jpeg[^"]+)"', large))) <= 6_000_000
    assert sum(map(len, re.findall(r'href="(data:image/jpeg[^"]+)"', small))) <= 300_000
    assert max(next(embedded(large)).size) > 2 * max(next(embedded(small)).size)


def test_what_some_photos_save_others_may_use(tmp_path):
    mask = np.zeros((300, 400), bool)
    mask[50:100, 60:90] = True
    hits = [hit_of(tmp_path / f"{rank}.png", mask, rank) for rank in range(1, 5)]

    def plain_but_the_last(path, max_side):
        image = noisy(path, max_side)
        return image if path.endswith("4.png") else np.full_like(image, 120)

    *_, last = embedded(page(answer_of("q", hits), read=plain_but_the_last, budget=700_000))
    *_, alike = embedded(page(answer_of("q", hits), read=noisy, budget=700_000))
    assert max(last.size) > max(alike.size)


def test_a_photo_of_another_shape_than_its_mask_is_not_shown(answer, tmp_path):
    disc_photo(tmp_path / "1.png", (300, 300))
    html = page(answer)
    assert html.count("data:image/jpeg") == 1
    assert "1.png has another shape than when it was indexed" in html


def test_names_that_are_no_utf8_can_be_written(answer):
    odd = dataclasses.replace(answer.hits[0], path="caf\udce9.png")
    html = page(answer_of("caf\udce9", [odd]), title="caf\udce9", links=True)
    html.encode("utf-8")
    assert r"caf\xe9" in html


def test_links_name_the_file_exactly(answer, tmp_path):
    disc_photo(tmp_path / "a b#?%.png", (300, 400))
    hit = dataclasses.replace(answer.hits[0], path="a b#?%.png")
    html = page(answer_of("q", [hit]), links=True)
    assert f'data-link="{(tmp_path / "a b#?%.png").as_uri()}"' in html


def test_no_path_of_this_machine_is_told_unless_links_are_asked_for(answer, tmp_path):
    assert str(tmp_path) not in page(answer)
    (tmp_path / "1.png").unlink()
    assert "1.png is gone since it was indexed" in page(answer)
    assert str(tmp_path) not in page(answer)


def test_near_ones_left_out_are_counted(answer):
    more = dataclasses.replace(answer, below=1234)
    assert "1,234 more are near but score below 0.50." in page(more)


def test_a_page_of_no_answers_is_a_page():
    assert "<h1>nothing asked</h1>" in page(title="nothing asked")


def test_a_hit_as_wide_as_a_panorama_is_shown_whole(tmp_path):
    mask = np.zeros((40, 1600), bool)
    mask[10:20, 5:1590] = True
    hit = hit_of(tmp_path / "wide.png", mask)
    html = page(answer_of("q", [hit]), read=lambda path, side: np.zeros((40, 1600, 3), np.uint8))
    assert 'viewBox="0 0 1600 40" preserveAspectRatio="xMidYMid meet"' in html
