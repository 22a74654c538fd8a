"""The page of `usearch serve` in a real browser: searching, looking, filtering, going back."""

from __future__ import annotations

import re

import pytest
import toy_preset

for _package in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(_package, reason="the extra serve and httpx are needed")
pytest.importorskip("playwright.sync_api", reason="the Python package playwright is missing")

from playwright.sync_api import expect  # noqa: E402
from served_store import index, serving  # noqa: E402

pytestmark = pytest.mark.slow
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong

HOSTILE = '"><img src=x onerror=document.title="owned">&lt;b&gt;.png'
TOKEN = "a-token-of-enough-length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photos of coloured tiles and a store of them; one has a name that is markup."""
    folder = tmp_path_factory.mktemp("page")
    photos = folder / "photos"
    toy_preset.quarters(photos / "a.png", "red", "green", "blue", "white", side=240)
    toy_preset.quarters(photos / "sub" / "b.png", "green", "green", "blue", "blue")
    toy_preset.quarters(photos / HOSTILE, "yellow", "yellow", "yellow", "yellow")
    for number in range(12):
        toy_preset.quarters(photos / "many" / f"{number}.png", "white", "white", "black", "black")
    with pytest.MonkeyPatch.context() as patch:
        toy_preset.install(patch)
        index(folder)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder) as server:
        yield server.address


@pytest.fixture
def opened(watched, address):
    """Opens the page at a query string; whatever happens, nothing goes wrong in it."""

    def go(query=""):
        watched.page.goto(address + query)
        return watched.page

    yield go
    # A question that is left for another one is dropped; what fails is in the console as well.
    assert [problem for problem in watched.problems if not problem.startswith("failed:")] == []
    assert [url for url in watched.requests if not url.startswith(address)] == []


def tiles(page):
    return page.locator("#grid .tile")


def test_words_are_asked_and_answered(opened):
    page = opened()
    expect(page.locator("h1")).to_have_text("Find things inside your photos")
    page.keyboard.press("/")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    expect(tiles(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=red$"))
    expect(page).to_have_title("red · usearch")
    expect(page.locator("#status")).to_have_text("1 match in 60 segments of 15 photos")
    expect(page.locator(".tile.ready .outline .line")).to_have_attribute("d", re.compile("^M"))
    assert float(page.locator(".score").inner_text()) > 0.5


def test_an_example_is_a_click_away(opened):
    page = opened()
    chip = page.locator(".chip").first
    word = chip.inner_text()
    chip.click()
    expect(page.locator("#words")).to_have_value(word)
    expect(tiles(page).first).to_be_visible()


def test_back_and_forward_are_questions(opened):
    page = opened("?q=red")
    expect(tiles(page)).to_have_count(1)
    page.fill("#words", "blue")
    page.keyboard.press("Enter")
    expect(tiles(page)).to_have_count(2)
    page.go_back()
    expect(page.locator("#words")).to_have_value("red")
    expect(tiles(page)).to_have_count(1)
    page.go_forward()
    expect(page.locator("#words")).to_have_value("blue")
    page.reload()
    expect(tiles(page)).to_have_count(2)


def test_what_follows_a_dash_is_not_wanted(opened):
    page = opened("?q=green+-white")
    with page.expect_response("**/search") as response:
        page.reload()
    assert response.value.request.post_data_json["minus"] == [{"text": "white"}]


def test_a_photo_opens_with_its_segments_and_closes(opened):
    page = opened("?q=red")
    tiles(page).locator(".open").click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(page).to_have_url(re.compile(r"photo=\d+"))
    expect(viewer.locator("h2")).to_have_text("a.png")
    expect(viewer.locator(".shapes path")).to_have_count(4)
    expect(viewer.locator(".drawing .line")).to_have_attribute("d", re.compile("^M"))
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?q=red$"))


def test_a_photo_opens_by_its_address(opened):
    page = opened("?q=red&photo=1")
    expect(page.locator("#viewer h2")).not_to_be_empty()
    page.locator("#viewer [aria-label=Close]").click()
    expect(page.locator("#viewer")).to_be_hidden()
    expect(tiles(page)).to_have_count(1)


def test_a_segment_under_the_pointer_is_a_question(opened):
    page = opened("?q=red")
    tiles(page).locator(".open").click()
    expect(page.locator(".shapes path")).to_have_count(4)
    box = page.locator(".drawing").bounding_box()
    lower_right = box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75
    page.mouse.move(*lower_right)
    expect(page.locator(".about")).to_contain_text("25 %")
    page.mouse.click(*lower_right)
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?t=segment%3A\d+$"))
    expect(page.locator(".term-word")).to_have_text("this segment")
    expect(page.locator(".term-picture svg")).to_be_visible()
    expect(tiles(page).first).to_be_visible()
    page.locator(".term-off").click()
    expect(page.locator(".term")).to_have_count(0)
    expect(page.locator("h1")).to_be_visible()


def test_a_region_is_a_question(opened):
    page = opened("?q=red")
    tiles(page).locator(".open").click()
    expect(page.locator(".shapes path")).to_have_count(4)
    box = page.locator(".drawing").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.05, box["y"] + box["height"] * 0.05)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.45, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"t=photo%3A\d+%40\d+%2C\d+%2C\d+%2C\d+"))
    expect(page.locator(".term-word")).to_have_text("this region")
    expect(tiles(page).first.locator(".open")).to_have_attribute("aria-label", re.compile("a.png"))


def test_a_picture_that_is_chosen_is_a_question(opened, tmp_path):
    page = opened()
    picture = toy_preset.quarters(tmp_path / "mine.png", *["red"] * 4)
    page.set_input_files("#file", picture)
    expect(page).to_have_url(re.compile("t=upload%3A"))
    expect(page.locator(".term-word")).to_have_text("your picture")
    expect(tiles(page).first.locator(".open")).to_have_attribute("aria-label", re.compile("a.png"))


def test_a_file_that_is_no_picture_is_refused_in_words(watched, address, tmp_path):
    watched.page.goto(address)
    expect(watched.page.locator("h1")).to_be_visible()
    (tmp_path / "fake.png").write_text("no picture")
    watched.page.set_input_files("#file", tmp_path / "fake.png")
    expect(watched.page.locator("#status")).to_contain_text("cannot be read")
    assert [problem for problem in watched.problems if "415" not in problem] == []


def test_nothing_matches_is_said_and_the_nearest_are_a_click_away(opened):
    page = opened("?q=red&path=sub")
    expect(page.locator(".nothing h2")).to_have_text("Nothing here matches “red”.")
    expect(page.locator(".nothing p")).to_contain_text("4 segments of 1 photo")
    expect(tiles(page)).to_have_count(0)
    page.get_by_role("button", name="Show the nearest anyway").click()
    expect(page).to_have_url(re.compile("all=1"))
    expect(page.locator(".score.weak")).to_have_count(1)


def test_filters_are_part_of_the_address(opened):
    page = opened("?q=green")
    expect(tiles(page)).to_have_count(2)
    page.keyboard.press("f")
    page.fill("#f-path", "sub/")
    expect(tiles(page)).to_have_count(1)
    expect(page).to_have_url(re.compile("path=sub"))
    expect(page.locator("#filters-count")).to_have_text("1")
    page.select_option("#f-per", "")
    expect(tiles(page)).to_have_count(2)
    page.click("#f-clear")
    expect(page).to_have_url(re.compile(r"\?q=green$"))


@pytest.mark.parametrize("path", ['a"b', "[x]*", "back\\slash", "a and b"])
def test_what_is_typed_as_a_path_is_taken_as_it_is(opened, path):
    page = opened("?q=green&path=" + path.replace("\\", "%5C"))
    expect(page.locator("#status")).to_contain_text("The filter leaves nothing to search.")


def test_a_mistake_in_a_filter_is_shown(watched, address):
    watched.page.goto(address + "?q=red&where=depth+%3E+x")
    expect(watched.page.locator("#filter-error")).to_contain_text("^")
    expect(watched.page.locator("#f-where")).to_have_attribute("aria-invalid", "")
    watched.page.fill("#f-where", "depth = 0")
    expect(watched.page.locator("#filter-error")).to_be_hidden()
    expect(tiles(watched.page)).to_have_count(1)
    assert [problem for problem in watched.problems if "400" not in problem] == []


def test_results_go_on_as_one_scrolls(opened):
    page = opened("?q=white&per=all&all=1")
    expect(tiles(page).nth(29)).to_be_attached()
    page.keyboard.press("End")
    expect(tiles(page)).to_have_count(60)


def test_keys_move_between_results_and_search_by_one(opened):
    page = opened("?q=green")
    expect(tiles(page)).to_have_count(2)
    page.locator("#results").focus()
    page.keyboard.press("ArrowDown")
    expect(tiles(page).nth(0).locator(".open")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tiles(page).nth(1).locator(".open")).to_be_focused()
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile("t=segment"))
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_a_class_map_colours_the_photo(opened):
    page = opened("?q=red")
    tiles(page).locator(".open").click()
    page.locator(".class-map summary").click()
    page.fill(".class-map textarea", "red\ngreen\nblue\nwhite, snow")
    page.get_by_role("button", name="Colour the photo").click()
    expect(page.locator(".legend li")).to_have_count(4)
    expect(page.locator(".legend li").first.locator(".share")).to_have_text("25 %")
    expect(page.locator(".canvas .map")).to_be_visible()
    loaded = page.locator(".canvas .map").evaluate(
        "async (map) => { await map.decode(); return map.naturalWidth; }"
    )
    assert loaded == 240
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.locator(".canvas .map")).to_be_hidden()


def test_a_name_that_is_markup_is_text(opened):
    page = opened("?q=yellow&path=onerror&all=1")
    expect(tiles(page)).to_have_count(1)
    expect(page.locator(".tile .name")).to_have_text(HOSTILE)
    tiles(page).locator(".open").click()
    expect(page.locator("#viewer h2")).to_have_text(HOSTILE)
    expect(page).to_have_title("yellow · usearch")
    assert page.locator("img[src=x]").count() == 0


def test_a_question_that_is_markup_is_text(opened):
    page = opened("?path=sub&q=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E")
    expect(page.locator("#status")).not_to_be_empty()
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (1920, 1080)])
def test_rows_fill_the_width_and_nothing_sticks_out(opened, watched, width, height):
    watched.page.set_viewport_size({"width": width, "height": height})
    page = opened("?q=white&per=all&all=1")
    expect(tiles(page).nth(29)).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    rows: dict[float, list[dict]] = {}
    for tile in tiles(page).all():
        box = tile.bounding_box()
        rows.setdefault(round(box["y"]), []).append(box)
    ends = [max(box["x"] + box["width"] for box in row) for row in rows.values()][:-1]
    assert max(ends) - min(ends) <= 1
    assert len(rows) > 1


def test_it_is_dark_where_the_system_is(opened, watched):
    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = opened()
    light = ground()
    page.emulate_media(color_scheme="dark")
    assert ground() != light


def test_a_photo_that_changed_says_so(watched, folder, address):
    file = folder / "photos" / "many" / "0.png"
    content = file.read_bytes()
    file.unlink()
    try:
        watched.page.goto(address + "?q=black&path=many/0.png&all=1")
        expect(watched.page.locator(".tile.gone .missing")).to_be_visible()
    finally:
        file.write_bytes(content)


def test_with_a_token_the_printed_way_in_works(watched, folder):
    with serving(folder, "--token", TOKEN) as server:
        watched.page.goto(f"{server.address}?q=red&token={TOKEN}")
        expect(tiles(watched.page)).to_have_count(1)
        assert TOKEN not in watched.page.url
        assert watched.problems == []
