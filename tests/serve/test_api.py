"""The HTTP API: questions, photos, pictures, class maps; and what is refused."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
import toy_preset
from PIL import Image as Pillow
from pycocotools import mask as coco
from served_store import client_of, index

API = "/api/v1"


def ask(client, **body):
    reply = client.post(f"{API}/search", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def refused(reply, status, code):
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["code"] == code
    return error


def colours(hits):
    return [(hit["path"], tuple(hit["box"])) for hit in hits]


RED = ("a.png", (0, 0, 20, 20))
WHITE = ("a.png", (20, 20, 40, 40))


# Questions


def test_a_text_finds_its_segment(client):
    answer = ask(client, terms=[{"text": "red"}])
    assert colours(answer["hits"])[0] == RED
    assert (answer["question"], answer["photos"], answer["segments"]) == ("red", 2, 8)
    assert answer["more"] is False
    hit = answer["hits"][0]
    assert hit["photo_size"] == {"width": 40, "height": 40}
    assert hit["outline"].startswith("M")
    assert "rle" not in hit


def test_masks_come_when_asked_for(client):
    [hit] = ask(client, terms=[{"text": "red"}], k=1, masks=True)["hits"]
    assert list(coco.toBbox(hit["rle"])) == [0, 0, 20, 20]


def test_a_query_string_asks_the_same(client):
    by_body = ask(client, terms=[{"text": "blue"}], minus=[{"text": "white"}], k=2, per_image=1)
    reply = client.get(f"{API}/search?q=blue&minus=white&k=2&per_image=1")
    assert reply.json() == by_body


def test_what_matches_nothing_says_how_near_the_best_came(client):
    answer = ask(client, terms=[{"text": "yellow"}], min_score=0.9999)
    assert answer["hits"] == []
    assert answer["best"]["score"] < answer["cutoff"]
    nearest = ask(client, terms=[{"text": "yellow"}], min_score=0.9999, all=True)["hits"]
    assert len(nearest) == 8


def test_hits_come_in_pages(client):
    every = ask(client, terms=[{"text": "green"}], all=True)["hits"]
    pages, offset = [], 0
    while True:
        page = ask(client, terms=[{"text": "green"}], all=True, k=3, offset=offset)
        pages += page["hits"]
        offset += 3
        if not page["more"]:
            break
    assert pages == every
    assert len(every) == 8


def test_groups_are_paged_by_photo(client):
    first = ask(client, terms=[{"text": "green"}], all=True, group=True, k=1)
    second = ask(client, terms=[{"text": "green"}], all=True, group=True, k=1, offset=1)
    assert {hit["photo"] for hit in first["hits"]}.isdisjoint(
        hit["photo"] for hit in second["hits"]
    )
    assert (first["more"], second["more"]) == (True, False)


def test_a_segment_finds_what_looks_like_it(client):
    [red] = ask(client, terms=[{"text": "red"}], k=1)["hits"]
    answer = ask(client, terms=[{"segment": red["segment"]}], k=1)
    assert answer["hits"][0]["segment"] == red["segment"]


def test_a_box_of_a_stored_photo_is_a_question(client):
    photo = ask(client, terms=[{"text": "red"}], k=1)["hits"][0]["photo"]
    answer = ask(client, terms=[{"photo": photo, "box": [20, 20, 40, 40]}], k=1, all=True)
    assert colours(answer["hits"]) == [WHITE]


def test_terms_have_weights_and_any_takes_the_best(client):
    terms = [{"text": "red", "weight": 5}, {"text": "blue", "weight": 0.1}]
    assert colours(ask(client, terms=terms, all=True, k=1)["hits"]) == [RED]
    answer = ask(client, terms=[{"text": "red"}, {"text": "white"}], any=True, all=True, k=2)
    assert set(colours(answer["hits"])) == {RED, WHITE}
    assert {hit["matched"] for hit in answer["hits"]} == {"red", "white"}


def test_a_filter_narrows_what_is_searched(client):
    answer = ask(client, terms=[{"text": "blue"}], where='path ~ "sub/*"', all=True)
    assert {hit["path"] for hit in answer["hits"]} == {"sub/b.png"}
    assert (answer["photos"], answer["segments"]) == (1, 4)


def test_a_mistake_in_a_filter_is_shown_at_its_place(client):
    reply = client.post(f"{API}/search", json={"terms": [{"text": "a"}], "where": "depth > x"})
    assert "^" in refused(reply, 400, "usage")["excerpt"]


def test_text_is_never_a_path(client, kept_folder):
    """What the command line would read as a picture is words here."""
    for text in (str(kept_folder / "photos" / "a.png"), "./photos/a.png", "segment:0"):
        assert ask(client, terms=[{"text": text}], all=True)["question"] == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"red"',
        b"{}",
        b'{"terms": []}',
        b'{"terms": "red"}',
        b'{"terms": [{}]}',
        b'{"terms": [{"text": ""}]}',
        b'{"terms": [{"text": 1}]}',
        b'{"terms": [{"text": "\\ud800"}]}',
        b'{"terms": [{"text": "a", "segment": 1}]}',
        b'{"terms": [{"text": "a", "box": [0, 0, 1, 1]}]}',
        b'{"terms": [{"text": "a", "weight": 0}]}',
        b'{"terms": [{"text": "a", "weight": NaN}]}',
        b'{"terms": [{"text": "a", "weight": true}]}',
        b'{"terms": [{"photo": 0, "box": [5, 5, 5, 5]}]}',
        b'{"terms": [{"photo": 0, "box": [0, 0, 1e400, 1]}]}',
        b'{"terms": [{"segment": -1}]}',
        b'{"terms": [{"segment": 1.5}]}',
        b'{"terms": [{"text": "a"}], "k": 0}',
        b'{"terms": [{"text": "a"}], "k": 100000}',
        b'{"terms": [{"text": "a"}], "k": true}',
        b'{"terms": [{"text": "a"}], "offset": 1999, "k": 50}',
        b'{"terms": [{"text": "a"}], "min_score": 2}',
        b'{"terms": [{"text": "a"}], "all": "yes"}',
        b'{"terms": [{"text": "a"}], "wher": "depth = 0"}',
        b'{"minus": [{"text": "a"}]}',
    ],
)
def test_a_search_that_makes_no_sense_is_400(client, body):
    headers = {"Content-Type": "application/json"}
    reply = client.post(f"{API}/search", content=body, headers=headers)
    assert refused(reply, 400, "usage")["message"]


def test_limits_are_kept(client):
    long = {"terms": [{"text": "a" * 501}]}
    refused(client.post(f"{API}/search", json=long), 400, "usage")
    many = {"terms": [{"text": str(i)} for i in range(17)]}
    refused(client.post(f"{API}/search", json=many), 400, "usage")
    large = {"terms": [{"text": "a"}], "where": " " * 70_000}
    refused(client.post(f"{API}/search", json=large), 413, "too_large")


def test_a_body_without_a_length_is_cut_off_at_the_limit(client):
    def endless():
        for _ in range(100):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    reply = client.post(f"{API}/search", content=endless(), headers=headers)
    refused(reply, 413, "too_large")


def test_only_json_is_taken_for_json(client):
    """A form of another site may post text without asking first; it may not post JSON."""
    body = json.dumps({"terms": [{"text": "a"}]})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        reply = client.post(f"{API}/search", content=body, headers={"Content-Type": kind})
        refused(reply, 415, "media_type")


def test_what_is_not_there_is_404(client):
    for term in ({"segment": 99 << 16}, {"segment": 77}, {"photo": 99}, {"upload": "nothing"}):
        refused(client.post(f"{API}/search", json={"terms": [term]}), 404, "not_found")
    for path in ("photos/99", "photos/99/segments", "photos/x/image", "nothing", "uploads/none"):
        refused(client.get(f"{API}/{path}"), 404, "not_found")
    refused(client.get("/static/../app.py"), 404, "not_found")
    refused(client.delete(f"{API}/photos/0"), 405, "method")


# Photos


def test_a_photo_and_its_segments(client):
    photo = client.get(f"{API}/photos/0").json()
    assert (photo["path"], photo["segments"], photo["status"]) == ("a.png", 4, "ok")
    found = client.get(f"{API}/photos/0/segments").json()
    assert found["segments"][0]["box"] == [0, 0, 20, 20]
    assert all(segment["outline"] for segment in found["segments"])


def test_pictures_are_resized_jpegs_without_metadata(client):
    reply = client.get(f"{API}/photos/0/thumbnail?side=256")
    assert reply.headers["content-type"] == "image/jpeg"
    picture = Pillow.open(io.BytesIO(reply.content))
    assert picture.size == (40, 40)
    assert not picture.getexif()
    red = np.asarray(picture)[5, 5]
    assert red[0] > 200
    assert max(red[1:]) < 60
    assert client.get(f"{API}/photos/0/image?side=1024").status_code == 200
    refused(client.get(f"{API}/photos/0/image?side=5000"), 400, "usage")


def test_a_known_picture_is_not_sent_again(client):
    url = f"{API}/photos/0/thumbnail"
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_thumbnails_are_kept_in_the_cache_of_the_store(folder):
    with client_of(folder) as client:
        first = client.get(f"{API}/photos/0/thumbnail").content
        kept = list((folder / ".usearch" / "cache" / "thumbnails").rglob("*.jpg"))
        assert [path.read_bytes() for path in kept] == [first]
        with client_of(folder) as another:
            assert another.get(f"{API}/photos/0/thumbnail").content == first


def test_a_cache_that_cannot_be_written_is_no_error(folder):
    shutil.rmtree(folder / ".usearch" / "cache", ignore_errors=True)
    (folder / ".usearch" / "cache").write_text("a file in its place")
    with client_of(folder) as client:
        assert client.get(f"{API}/photos/0/thumbnail").status_code == 200
        assert client.get(f"{API}/photos/0/thumbnail").status_code == 200


@pytest.mark.parametrize("how", ["gone", "other size", "other content", "link outside", "folder"])
def test_a_photo_is_shown_only_as_it_was_indexed(folder, tmp_path, how):
    with client_of(folder) as client:
        file = folder / "photos" / "a.png"
        client.get(f"{API}/photos/0/thumbnail")  # what is kept must not hide what happens next
        before = file.stat()
        content = file.read_bytes()
        file.unlink()
        if how == "other size":
            toy_preset.quarters(file, "red", "red", "red", "red", side=400)
        if how == "other content":
            file.write_bytes(bytes(len(content)))
        if how == "link outside":
            secret = tmp_path / "secret.png"
            secret.write_bytes(bytes(before.st_size))
            file.symlink_to(secret)
        if how == "folder":
            file.mkdir()
        for path in ("thumbnail", "image"):
            refused(client.get(f"{API}/photos/0/{path}"), 410, "gone")
        body = {"terms": [{"photo": 0, "box": [0, 0, 9, 9]}]}
        if how in ("gone", "other size", "folder"):
            refused(client.post(f"{API}/search", json=body), 410, "gone")


def test_a_photo_that_was_only_touched_is_still_shown(folder):
    with client_of(folder) as client:
        file = folder / "photos" / "a.png"
        file.touch()
        assert client.get(f"{API}/photos/0/thumbnail").status_code == 200


# Class maps


def test_a_class_map_has_colours_and_shares(client):
    query = "class=red&class=green&class=blue&class=white"
    found = client.get(f"{API}/photos/0/classmap?{query}").json()
    assert {c["name"]: c["share"] for c in found["classes"]} == pytest.approx(
        dict.fromkeys(("red", "green", "blue", "white"), 0.25)
    )
    assert found["covered_share"] == 1
    reply = client.get(f"{API}/photos/0/classmap.png?{query}")
    values = np.asarray(Pillow.open(io.BytesIO(reply.content)))
    assert [values[y, x] for y in (5, 35) for x in (5, 35)] == [0, 1, 2, 3]
    shown = Pillow.open(io.BytesIO(reply.content)).convert("RGBA").getpixel((5, 5))
    colour = next(c["colour"] for c in found["classes"] if c["name"] == "red")
    assert shown == (*bytes.fromhex(colour[1:]), 255)


def test_unknown_pixels_are_transparent(client):
    query = "class=yellow&unknown=1"
    found = client.get(f"{API}/photos/0/classmap?{query}").json()
    assert found["unknown_share"] == 1
    reply = client.get(f"{API}/photos/0/classmap.png?{query}")
    alpha = np.asarray(Pillow.open(io.BytesIO(reply.content)).convert("RGBA"))[..., 3]
    assert not alpha.any()


@pytest.mark.parametrize("query", ["", "class=", "class=a&class=a", "class=a,,b", "class=a%09b"])
def test_a_class_list_that_makes_no_sense_is_400(client, query):
    refused(client.get(f"{API}/photos/0/classmap?{query}"), 400, "usage")


# Uploads


def test_an_uploaded_picture_is_a_question(client, tmp_path):
    tile = toy_preset.quarters(tmp_path / "new.png", "red", "red", "red", "red", side=30)
    reply = client.post(
        f"{API}/uploads", content=tile.read_bytes(), headers={"Content-Type": "image/png"}
    )
    assert reply.status_code == 201
    assert reply.json()["photo_size"] == {"width": 30, "height": 30}
    name = reply.json()["upload"]
    for term in ({"upload": name}, {"upload": name, "box": [0, 0, 15, 15]}):
        answer = ask(client, terms=[term], k=1, all=True)
        assert colours(answer["hits"]) == [RED]
        assert str(tmp_path) not in answer["question"]
        assert "usearch-serve" not in answer["question"]
    shown = client.get(f"{API}/uploads/{name}")
    assert Pillow.open(io.BytesIO(shown.content)).size == (30, 30)


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"not a picture", "image/png", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (b"\x89PNG\r\n\x1a\n broken", "image/png", 415),
        (b"", "image/png", 400),
        (b"{}", "application/json", 415),
    ],
)
def test_an_upload_that_is_no_picture_is_refused(client, data, kind, status):
    reply = client.post(f"{API}/uploads", content=data, headers={"Content-Type": kind})
    assert reply.status_code == status
    assert "usearch-serve" not in reply.text


def test_uploads_are_bounded(kept_folder, tmp_path):
    from usearch.serve.limits import Limits

    with client_of(
        kept_folder, Limits(upload_bytes=5_000, upload_pixels=2_000, uploads=2)
    ) as client:

        def upload(side):
            file = toy_preset.quarters(tmp_path / f"{side}.png", *["red"] * 4, side=side)
            headers = {"Content-Type": "image/png"}
            return client.post(f"{API}/uploads", content=file.read_bytes(), headers=headers)

        refused(upload(60), 413, "too_large")
        reply = client.post(
            f"{API}/uploads", content=bytes(6_000), headers={"Content-Type": "image/png"}
        )
        refused(reply, 413, "too_large")
        names = [upload(side).json()["upload"] for side in (10, 20, 30)]
        refused(client.get(f"{API}/uploads/{names[0]}"), 404, "not_found")
        assert client.get(f"{API}/uploads/{names[2]}").status_code == 200


# The store behind it


def test_new_photos_appear_when_they_are_committed(folder):
    now = [0.0]
    with client_of(folder, clock=lambda: now[0]) as client:
        assert ask(client, terms=[{"text": "red"}])["photos"] == 2
        toy_preset.quarters(folder / "photos" / "c.png", "red", "red", "red", "red")
        index(folder)
        assert ask(client, terms=[{"text": "red"}])["photos"] == 2  # looked a moment ago
        now[0] += 1.5
        assert ask(client, terms=[{"text": "red"}])["photos"] == 3


def test_reload_looks_at_once(folder):
    with client_of(folder, clock=lambda: 0.0) as client:
        before = client.get(f"{API}/info").json()["store"]
        toy_preset.quarters(folder / "photos" / "c.png", "red", "red", "red", "red")
        index(folder)
        assert client.post(f"{API}/reload").json()["version"] > before["version"]
        assert client.get(f"{API}/info").json()["store"]["photos"] == 3


def test_a_store_that_is_damaged_while_it_is_served_stays_as_it_was(folder, capsys):
    now = [0.0]
    with client_of(folder, clock=lambda: now[0]) as client:
        for name in ("manifest.json", "manifest.previous.json"):
            (folder / ".usearch" / name).write_text("{}")
        now[0] += 1.5
        assert ask(client, terms=[{"text": "red"}])["photos"] == 2
        assert "damaged" in capsys.readouterr().err
        error = refused(client.post(f"{API}/reload"), 503, "store")
        assert str(folder) not in json.dumps(error)


def test_a_commit_with_the_same_models_loads_none_again(folder, monkeypatch):
    from usearch.models import presets

    now = [0.0]
    with client_of(folder, clock=lambda: now[0]) as client:
        ask(client, terms=[{"text": "red"}])
        monkeypatch.setattr(presets, "load_text_encoder", None)
        toy_preset.quarters(folder / "photos" / "c.png", "red", "red", "red", "red")
        index(folder)
        now[0] += 1.5
        assert ask(client, terms=[{"text": "red"}])["photos"] == 3


def test_info_names_words_that_match_here(client):
    info = client.get(f"{API}/info").json()
    assert info["store"]["segments"] == 8
    assert info["limits"]["text"] == 500
    assert info["cutoff"] == ask(client, terms=[{"text": "red"}])["cutoff"]
    assert info["examples"]
    assert all(e["hit"]["score"] >= info["cutoff"] for e in info["examples"])


def test_an_empty_store_is_served(tmp_path, monkeypatch):
    toy_preset.install(monkeypatch)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    index(tmp_path)
    with client_of(tmp_path) as client:
        assert client.get(f"{API}/info").json()["examples"] == []
        assert ask(client, terms=[{"text": "red"}])["hits"] == []
        assert client.get(f"{API}/photos/0/segments").json()["segments"] == []
        refused(client.get(f"{API}/photos/0/classmap?class=a"), 404, "not_found")
        refused(client.get(f"{API}/photos/0/thumbnail"), 410, "gone")
