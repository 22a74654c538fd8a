"""`--second`: another model's classes count too, for new photos and for stored ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import toy_preset
import toys
from PIL import Image

import indexer.presets
from usearch.cli import main
from usearch.models import presets
from usearch.records import EmbeddingSpace

OTHER = EmbeddingSpace(id="toy-swapped", dim=4, name="swapped", made_by={"toy": "swapped"})


class Swapped(toys.ColourEmbedder):
    """Takes red for blue and blue for red."""

    def embed(self, image, segments):
        loaded.append(len(segments))
        return super().embed(image[..., ::-1], segments)


loaded: list[int] = []
"""Segments of each photo that the second model has looked at."""


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    toy_preset.install(monkeypatch)
    loaded.clear()

    def load(name, *_, threads=1, **__):
        cutter, embedder = toys.load_toys()
        return cutter, Swapped(OTHER) if name == "clip" else embedder

    monkeypatch.setattr(indexer.presets, "load_indexer", load)
    monkeypatch.setattr(
        presets,
        "load_text_encoder",
        lambda name: toy_preset.ColourWords(OTHER if name == "clip" else toy_preset.SPACE),
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("red\nblue\ngreen\nwhite\n")
    toy_preset.quarters(tmp_path / "in" / "a.png", "red", "blue", "green", "white")

    def run(*words):
        code = main([*map(str, words), "--classes", "list.txt"])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return run


def corners(path):
    with Image.open(path) as picture:
        return np.asarray(picture)[::20, ::20].tolist()


FIRST, SECOND = [[0, 1], [2, 3]], [[1, 0], [2, 3]]


@pytest.mark.parametrize(("weight", "want"), [(0, FIRST), (0.3, FIRST), (0.7, SECOND), (1, SECOND)])
def test_the_weight_moves_from_one_model_to_the_other(said, weight, want):
    code, _, err = said("segment", "in", "--second", "clip", "--second-weight", weight, "-o", "m")
    assert code == 0, err
    assert corners("m/a.png") == want


def test_with_weight_0_the_second_is_not_even_asked(said):
    said("segment", "in", "-o", "plain")
    said("segment", "in", "--second", "clip", "--second-weight", "0", "-o", "zero")
    assert loaded == []
    with open("plain/a.png", "rb") as one, open("zero/a.png", "rb") as other:
        assert one.read() == other.read()


@pytest.fixture
def store(said, tmp_path):
    from toys import load_toys

    from indexer.pipeline import index_photos

    index_photos([tmp_path / "in"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    return tmp_path / ".usearch"


BOTH = ("--second", "clip", "--second-weight", "0.7")


def test_stored_photos_are_opened_once_and_then_never_again(said, store, tmp_path):
    assert said("segment", "--from-store", *BOTH, "-o", "m")[0] == 0
    assert corners("m/a.png") == SECOND
    assert loaded == [4]
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "list.txt").write_text("white\ngreen\nblue\nred\n")
    assert said("segment", "--from-store", *BOTH, "-o", "m2")[0] == 0
    assert corners("m2/a.png") == [[2, 3], [1, 0]]
    code, out, _ = said("classify", *BOTH, "--json")
    shares = {c["name"]: c["share"] for c in json.loads(out)["totals"]["classes"]}
    assert (code, shares) == (0, dict.fromkeys(["white", "green", "blue", "red"], 0.25))
    assert loaded == [4]


def test_a_filter_takes_the_vectors_of_its_segments(said, store):
    full = said("segment", "--from-store", *BOTH, "-o", "m")[1]
    assert full
    code, out, _ = said("classify", *BOTH, "--where", "x1 <= 20 and y1 <= 20")
    assert code == 0
    assert "blue\t0.2500\t1\t1" in out
    assert loaded == [4]


def test_a_photo_that_has_changed_is_refused_and_none_is_kept_of_it(said, store, tmp_path):
    toy_preset.quarters(tmp_path / "in" / "a.png", "red", "red", "red", "red")
    code, _, err = said("segment", "--from-store", *BOTH, "-o", "m")
    assert code == 3
    assert "has changed since it was indexed" in err
    assert not list((store / "cache").glob("second/**/*.vec"))


def test_damaged_vectors_in_the_cache_are_made_again(said, store):
    said("segment", "--from-store", *BOTH, "-o", "m")
    [kept] = (store / "cache" / "second").glob("**/*.vec")
    kept.write_bytes(kept.read_bytes()[:-3] + b"abc")
    assert said("segment", "--from-store", *BOTH, "-o", "m2")[0] == 0
    assert corners("m2/a.png") == SECOND
    assert loaded == [4, 4]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--second", "clip", "--second-weight", "1.5"], 2, "between 0 and 1"),
        (["--second", "nothing"], 2, "there is no preset 'nothing'"),
        (["--second", "in"], 6, "holds no trained model"),
    ],
)
def test_mistakes_are_told(said, words, code, text):
    got, out, err = said("segment", "in", *words)
    assert (got, out) == (code, "")
    assert text in err
