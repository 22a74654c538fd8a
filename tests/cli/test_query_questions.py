"""`usearch query` asked with several texts, pictures, parts of pictures, and what is not wanted."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import toy_preset
from PIL import Image
from toys import load_toys

import indexer.presets
from indexer.pipeline import index_photos
from usearch import open_store
from usearch.cli import main
from usearch.questions import Point, Region, SegmentId, any_of


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two photos of four coloured tiles each, indexed; the folder above them is current."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "photos" / "sub" / "b.png", "green", "green", "blue", "blue")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


def answered(capsys, *words):
    """The JSON of a query that found something."""
    code = main(["query", "--json", *map(str, words)])
    streams = capsys.readouterr()
    assert code == 0, streams.err
    return json.loads(streams.out)


def places(document):
    """Photo and upper left corner of every hit."""
    return [(hit["image"].rsplit("/", 1)[-1], *hit["box"][:2]) for hit in document["hits"]]


def refused(capsys, code, *words):
    """What stderr says of a query that must end with a code, and print nothing."""
    assert main(["query", *map(str, words)]) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Traceback" not in streams.err
    return streams.err


RED = ("a.png", 0, 0)


def test_several_texts_are_one_ranking_and_a_hit_says_which_it_matches(photos, capsys):
    document = answered(capsys, "-q", "red", "-q", "blue")
    assert document["query"]["text"] == "red | blue"
    assert {hit["matched"] for hit in document["hits"]} == {"red", "blue"}
    assert len(document["hits"]) == 4
    cosines = [hit["cosine"] for hit in document["hits"]]
    assert cosines == sorted(cosines, reverse=True)


def test_the_same_text_twice_is_one_question(photos, capsys):
    document = answered(capsys, "red", "-q", "red")
    assert document["query"]["text"] == "red"
    assert document["hits"][0]["matched"] == ""


def test_questions_come_from_a_file_and_from_standard_input(photos, tmp_path, capsys, monkeypatch):
    (tmp_path / "list.txt").write_text("# colours\nred\n\nblue\n")
    from_file = answered(capsys, "--queries", "list.txt")
    lines = SimpleNamespace(buffer=io.BytesIO(b"red\nblue\n"))
    monkeypatch.setattr("sys.stdin", lines)
    assert answered(capsys, "--queries", "-") == from_file
    assert places(from_file) == places(answered(capsys, "-q", "red", "-q", "blue"))


def test_standard_input_that_is_closed_or_no_text_ends_with_3(photos, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"caf\xe9\n")))
    assert "line 1 of standard input is not UTF-8" in refused(capsys, 3, "--queries", "-")
    monkeypatch.setattr("sys.stdin", None)
    assert "standard input is closed" in refused(capsys, 3, "--queries", "-")


@pytest.mark.parametrize("name", ["absent.txt", "photos"])
def test_a_list_that_cannot_be_read_ends_with_3(name, photos, capsys):
    assert f"cannot read {name}" in refused(capsys, 3, "--queries", name)


def test_each_question_is_answered_by_itself(photos, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("red\nblack\nred\n")
    document = answered(capsys, "--queries", "list.txt", "--each", "-k", "1")
    asked = [answer["query"]["text"] for answer in document["answers"]]
    assert asked == ["red", "black", "red"]
    assert [len(answer["hits"]) for answer in document["answers"]] == [1, 0, 1]
    assert "hits" not in document


def test_each_question_stands_in_front_of_its_lines(photos, capsys):
    assert main(["query", "--each", "-q", "red", "-q", "black", "-k", "1"]) == 0
    streams = capsys.readouterr()
    assert streams.out.split("\t")[:2] == ["red", "1"]
    assert "nothing here matches 'black'" in streams.err


def test_a_thousand_questions_are_one_search(photos, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("".join(f"thing {i}\n" for i in range(999)) + "red\n")
    document = answered(capsys, "--queries", "list.txt", "-k", "1")
    assert places(document) == [RED]
    assert document["hits"][0]["matched"] == "red"


@pytest.mark.slow
def test_what_is_rather_unwanted_is_left_out(photos, capsys):
    everything = answered(capsys, "white", "--all", "-k", "8")
    without = answered(capsys, "white", "--not", "green", "--all", "-k", "8")
    assert without["query"]["text"] == "white -green"
    greens = {hit["segment"] for hit in answered(capsys, "green")["hits"]}
    assert greens < {hit["segment"] for hit in everything["hits"]}
    assert not greens & {hit["segment"] for hit in without["hits"]}


def test_when_all_is_unwanted_nothing_matches(photos, capsys):
    assert "rather what was not wanted" in refused(capsys, 1, "red", "--not", "red")


def test_terms_are_added_with_their_weights(photos, capsys):
    little = answered(capsys, "red", "--and", "0.1:blue", "--all", "-k", "1")
    assert places(little) == [RED]
    assert little["query"]["text"] == "red +0.1:blue"
    much = answered(capsys, "red", "--and", "20:blue", "--all", "-k", "1")
    assert places(much)[0][2] == 20


def test_a_stored_picture_a_part_of_it_and_a_stored_segment_need_no_network(
    photos, capsys, monkeypatch
):
    monkeypatch.setattr(indexer.presets, "load_indexer", None)
    a = photos / "a.png"
    assert places(answered(capsys, "--image", a, "--at", "5,5", "-k", "1")) == [RED]
    assert places(answered(capsys, "--image", f"{a}@5,5", "-k", "1")) == [RED]
    assert places(answered(capsys, "./photos/a.png@5,5", "-k", "1")) == [RED]
    assert places(answered(capsys, "--image", a, "--box", "0,0,20,20", "-k", "1")) == [RED]
    number = answered(capsys, "red", "-k", "1")["hits"][0]["segment"]
    assert places(answered(capsys, "--segment", number, "-k", "1")) == [RED]
    assert places(answered(capsys, f"segment:{number}", "-k", "1")) == [RED]
    assert answered(capsys, "--image", photos / "sub" / "b.png")["hits"]


def test_a_copy_elsewhere_is_known_by_its_content(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(indexer.presets, "load_indexer", None)
    (tmp_path / "copy").write_bytes((photos / "a.png").read_bytes())
    assert places(answered(capsys, "--image", "copy", "--at", "5,5", "-k", "1")) == [RED]


def test_a_stored_photo_that_is_gone_can_still_be_asked(photos, capsys, monkeypatch):
    monkeypatch.setattr(indexer.presets, "load_indexer", None)
    (photos / "a.png").unlink()
    assert places(answered(capsys, "--image", photos / "a.png", "--at", "5,5", "-k", "1")) == [RED]


def test_a_picture_from_elsewhere_is_cut_and_embedded(photos, tmp_path, capsys):
    other = toy_preset.quarters(tmp_path / "o.png", "red", "blue", "blue", "blue", side=200)
    assert places(answered(capsys, "--image", other, "--at", "20,20", "-k", "1")) == [RED]
    assert places(answered(capsys, "--image", other, "--box", "2,2,30,40", "-k", "1")) == [RED]
    assert places(answered(capsys, other, "-k", "1"))[0][2] == 20  # mostly blue


def test_a_file_that_was_changed_is_asked_as_it_is_now(photos, capsys):
    toy_preset.quarters(photos / "a.png", *["blue"] * 4)
    hits = answered(capsys, "--image", photos / "a.png", "--at", "5,5", "-k", "1")
    assert places(hits)[0][2] == 20


def test_places_are_those_of_the_picture_as_shown(photos, tmp_path, capsys):
    """Orientation 6: stored lying on its side. Red is at the upper left as it is shown."""
    upright = np.asarray(
        Image.open(toy_preset.quarters(tmp_path / "u.png", "red", "green", "blue", "white"))
    )
    upright = np.concatenate([upright, np.zeros((20, 40, 3), np.uint8)])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.jpg", quality=100, exif=exif)
    hits = answered(capsys, "--image", "turned.jpg", "--box", "0,0,18,18", "-k", "1", "--all")
    assert places(hits) == [RED]
    hits = answered(capsys, "--image", "turned.jpg", "--box", "22,2,16,16", "-k", "1", "--all")
    assert hits["hits"][0]["cosine"] > 0.99
    assert "60" in refused(capsys, 2, "--image", "turned.jpg", "--at", "5,60")


def test_the_first_picture_of_an_animation_counts(photos, tmp_path, capsys):
    frames = [Image.new("RGB", (40, 40), toy_preset.COLOURS[name]) for name in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert places(answered(capsys, "--image", "a.gif", "-k", "1", "--all")) == [RED]


def test_words_pictures_and_segments_are_mixed(photos, capsys):
    document = answered(
        capsys, "red", "--image", photos / "a.png", "--at", "5,5", "--not", "blue", "-k", "1"
    )
    assert places(document) == [RED]
    assert document["query"]["text"] == f"red +{photos}/a.png@5,5 -blue"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (3, ["--image", "absent.jpg"], "absent.jpg: there is no such file"),
        (3, ["./absent.jpg"], "absent.jpg: there is no such file"),
        (3, ["--image", "photos"], "photos: not a regular file"),
        (3, ["--image", "empty.jpg"], "empty.jpg: the file has no bytes"),
        (3, ["--image", "broken.jpg"], "broken.jpg: "),
        (2, ["--image", "photos/a.png", "--at", "40,5"], "is 40 x 40 pixels as shown"),
        (2, ["--image", "photos/a.png", "--at", "-1,5"], "outside"),
        (2, ["--image", "photos/a.png", "--box", "50,50,10,10"], "lies outside"),
        (2, ["--image", "photos/a.png", "--box", "5,5,0,10"], "is empty"),
        (2, ["--image", "photos/a.png", "--at", "5,5,5,5"], "2 numbers were expected"),
        (2, ["--image", "photos/a.png", "--box", "5,5"], "4 numbers were expected"),
        (2, ["--image", "photos/a.png", "--at", "x,y"], "no place"),
        (2, ["--at", "5,5"], "--at needs one --image"),
        (2, ["red", "--box", "1,1,5,5"], "--box needs one --image"),
        (2, ["--image", "a", "--at", "1,1", "--box", "1,1,5,5"], "not both"),
        (2, ["--image", "a", "--image", "b", "--at", "1,1"], "needs one --image"),
        (2, ["--segment", "999999"], "no segment 999999"),
        (2, ["--segment", "-1"], "no segment -1"),
        (2, ["--segment", "65539999999999"], "no segment 65539999999999"),
        (2, ["red", "car"], 'usearch query "red car"'),
        (2, [], "nothing was asked"),
        (2, ["--each"], "nothing was asked"),
        (2, ["--not", "red"], "only what is not wanted"),
        (2, ["red", "--not", ""], "empty"),
        (2, ["red", "--and", "0:blue"], "weight of 0"),
        (2, ["red", "--per-image", "0"], "at least 1"),
        (2, ["red", "--group", "camera"], "by image only"),
        (2, ["red", "--sort", "size"], "score, date or path"),
        (2, ["red", "--all", "--min-score", "0.5"], "--all and --min-score"),
        (2, ["red", "--where", "colour = 3"], "colour"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_answered_say_why(code, words, message, photos, tmp_path, capsys):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"junk" * 50)
    assert message in refused(capsys, code, *words)


def test_a_segment_that_was_removed_is_no_question_any_more(photos, tmp_path, capsys):
    number = answered(capsys, "red", "-k", "1")["hits"][0]["segment"]
    (photos / "a.png").unlink()
    index_photos([photos], tmp_path / ".usearch", load_toys, preset="mini", workers=0, prune=True)
    assert "or not any more" in refused(capsys, 2, "--segment", number)


def test_a_point_on_no_segment_is_told(photos, tmp_path, capsys, monkeypatch):
    from usearch import masks

    class Hole:
        """Cuts out the left half, and leaves the right one."""

        def segment(self, image):
            left = np.zeros(image.shape[:2], bool)
            left[:, : image.shape[1] // 2] = True
            return masks.segments_from_masks([left], np.ones(1))

    toys = load_toys()
    monkeypatch.setattr(indexer.presets, "load_indexer", lambda *_, **__: (Hole(), toys[1]))
    other = toy_preset.quarters(tmp_path / "o.png", "red", "blue", "blue", "blue")
    assert answered(capsys, "--image", other, "--at", "5,5")["hits"]
    assert "no segment lies at 30,5" in refused(capsys, 2, "--image", other, "--at", "30,5")


def test_filters_groups_and_limits(photos, capsys):
    document = answered(capsys, "green", "--where", "path ~ '*b.png'")
    assert {hit["image"].rsplit("/", 1)[-1] for hit in document["hits"]} == {"b.png"}
    assert (document["photos"], document["segments"]) == (1, 4)
    one_each = answered(capsys, "green", "--per-image", "1")
    assert len({hit["photo"] for hit in one_each["hits"]}) == len(one_each["hits"]) == 2
    grouped = answered(capsys, "green", "--group", "image", "-k", "1")
    assert len({hit["photo"] for hit in grouped["hits"]}) == 1


def test_a_filter_that_lets_nothing_through_is_told(photos, capsys):
    assert "no segment passes the filter" in refused(capsys, 1, "red", "--where", "path ~ 'x*'")


def test_the_same_hits_in_another_order_keep_their_ranks(photos, capsys):
    by_path = answered(capsys, "green", "--all", "-k", "8", "--sort", "path")
    images = [hit["image"] for hit in by_path["hits"]]
    assert images == sorted(images)
    assert sorted(hit["rank"] for hit in by_path["hits"]) == list(range(1, 9))
    by_score = answered(capsys, "green", "--all", "-k", "8", "--sort", "score")
    scores = [hit["score"] for hit in by_score["hits"]]
    assert scores == sorted(scores, reverse=True)


def test_duplicates_are_folded(photos, tmp_path, capsys):
    for name in ("c.png", "d.png"):
        (photos / name).write_bytes((photos / "a.png").read_bytes())
    index_photos([photos], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    [hit] = answered(capsys, "red", "--dedupe")["hits"]
    assert hit["folded"] == 2


def test_explain_shows_the_share_of_each_term_and_the_rivals(photos, capsys):
    [hit] = answered(capsys, "red", "--and", "white", "-k", "1", "--all", "--explain")["hits"]
    told = hit["explain"]
    assert [term["term"] for term in told["terms"]] == ["red", "white"]
    assert sum(term["part"] for term in told["terms"]) == pytest.approx(hit["cosine"], abs=2e-3)
    assert {"green", "blue", "black"} <= {rival["word"] for rival in told["rivals"]}
    shares = [rival["share"] for rival in told["rivals"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) + told["share"] == pytest.approx(1, abs=1e-4)


def test_explain_prints_a_line_a_term(photos, capsys):
    assert main(["query", "red", "--not", "blue", "-k", "1", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "    red: cosine 1.0" in out
    assert "    not blue: cosine" in out
    assert "against: " in out


def test_python_asks_with_the_same_verbs(photos):
    store = open_store(photos.parent)
    assert store.query(Point(photos / "a.png", 5, 5), k=1)[0].box == (0, 0, 20, 20)
    assert store.query(Region(photos / "a.png", (0, 0, 20, 20)), k=1)[0].box == (0, 0, 20, 20)
    number = store.query("red", k=1)[0].segment
    assert store.query(SegmentId(number), k=1).segment_ids.tolist() == [number]
    assert store.query(["red", (photos / "a.png", 0.01)], k=1)[0].segment == number
    answer = store.ask(any_of("red", "blue"), minus="green", per_image=1)
    assert answer.question == "red -green | blue -green"
    assert len(answer.hits) == 2
    assert answer.segments == 8


@pytest.mark.parametrize("words", ["photos/a.png", "photos/a.png@5,5", "2:photos/a.png"])
def test_words_that_also_name_a_file_are_words_and_the_way_to_ask_the_file_is_told(
    words, photos, capsys
):
    def told(typed):
        main(["query", typed, "--all"])
        return capsys.readouterr().err

    assert f"the file here is asked with ./{words.removeprefix('2:')}" in told(words)
    assert "asked with" not in told(f"\\{words}")
    assert "asked with" not in told("./photos/a.png")
    assert "asked with" not in told("x." * 5000)
