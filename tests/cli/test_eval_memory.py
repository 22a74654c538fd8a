"""`usearch eval` with a bank, `eval retrieval`, `eval partimagenet`: tiny sets, whole commands."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest
import toy_preset
from PIL import Image
from toy_keys import load_keyed
from toys import load_toys

from eval.datasets import name_list
from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.schemas import schema

COLOURS = ["red", "green", "blue", "white"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of its own, with the toy preset whose vectors mistake dark red for blue."""
    toy_preset.install(monkeypatch)
    monkeypatch.setattr("indexer.presets.load_indexer", lambda *_, threads=1, **__: load_keyed())
    monkeypatch.setitem(toy_preset.COLOURS, "dark", (217, 0, 0))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *words):
    code = main(["eval", *map(str, words), "--workers", "0", "--json"])
    streams = capsys.readouterr()
    document = json.loads(streams.out) if streams.out else {}
    if document:
        jsonschema.validate(document, schema("eval"))
    return code, document.get("metrics", {}), streams.err


def coco(path, photos: dict[str, list[str]], side: int = 80) -> None:
    """Photos of four tiles, and labels for the tiles of the names given; "" = not labelled."""
    names = sorted({name for tiles in photos.values() for name in tiles if name})
    images, annotations = [], []
    for number, (stem, tiles) in enumerate(photos.items()):
        images.append({"id": number, "file_name": f"{stem}.png", "width": side, "height": side})
        for place, name in enumerate(tiles):
            if name:
                x, y, half = place % 2 * side // 2, place // 2 * side // 2, side // 2
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": names.index(name),
                        "segmentation": [[x, y, x + half, y, x + half, y + half, x, y + half]],
                        "iscrowd": 0,
                    }
                )
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(document))


def test_a_bank_is_reported_beside_the_run_without_it(folder, capsys):
    tiles = {
        "a": ["red", "red", "green", "red"],
        "b": ["red", "red", "red", "green"],
        "odd": ["dark", "dark", "dark", "green"],
    }
    for stem, colours in tiles.items():
        toy_preset.quarters(folder / "photos" / f"{stem}.png", *colours, side=80)
        rows = [COLOURS.index("red" if one == "dark" else one) for one in colours]
        (folder / "masks").mkdir(exist_ok=True)
        labels = np.array(rows, np.uint8).reshape(2, 2).repeat(40, 0).repeat(40, 1)
        Image.fromarray(labels).save(folder / "masks" / f"{stem}.png")
    (folder / "names.txt").write_text("red\ngreen\nblue\nwhite\n")
    words = ["folder", "--images", "photos", "--masks", "masks", "--classes", "names.txt",
             "--first-index", "0"]  # fmt: skip
    code, without, err = run(capsys, *words)
    assert code == 0, err
    assert not any(key.startswith("bank.") for key in without)
    bank = ["--bank", "self", "--bank-weight", "0.9", "--neighbours", "4"]
    code, found, err = run(capsys, *words, *bank)
    assert code == 0, err
    assert found["pixel_accuracy"] == without["pixel_accuracy"] == pytest.approx(0.75)
    assert found["bank.pixel_accuracy"] == pytest.approx(1.0)


def test_names_find_the_segments_and_photos_that_are_labelled(folder, capsys):
    for stem, colours in {"a": COLOURS, "b": ["red", "red", "white", "white"]}.items():
        toy_preset.quarters(folder / "photos" / f"{stem}.png", *colours, side=80)
    coco(folder / "labels.json", {"a": ["red", "green", "", "white"], "b": ["", "red", "", ""]})
    words = ["retrieval", "--coco", "labels.json", "--images", "photos"]
    code, found, err = run(capsys, *words)
    assert code == 0, err
    segments, photos = "retrieval.text_to_segment.", "retrieval.text_to_image."
    assert found[segments + "queries"] == 3
    assert found[segments + "segments"] == 8
    assert found[segments + "recall@5"] == 1.0
    assert found[photos + "recall@1"] >= 2 / 3
    assert 0 < found[segments + "map"] <= 1
    assert found[segments + "recall@1"] <= found[segments + "recall@5"]
    # Nothing overlaps a labelled tile better than its own tile does.
    _, strict, _ = run(capsys, *words, "--iou", "1.0")
    assert strict[segments + "map"] == found[segments + "map"]
    _, small, _ = run(capsys, *words, "--min-area", "1600")
    assert small[segments + "queries"] == 3


def test_distractors_are_wrong_answers_and_copies_are_none(folder, capsys):
    for stem, colours in {"a": COLOURS, "b": ["red", "red", "white", "white"]}.items():
        toy_preset.quarters(folder / "photos" / f"{stem}.png", *colours, side=80)
    coco(folder / "labels.json", {"a": ["red", "green", "", "white"], "b": ["", "red", "", ""]})
    toy_preset.quarters(folder / "more" / "x.png", "red", "green", "white", "green", side=60)
    (folder / "more" / "copy.png").write_bytes((folder / "photos" / "a.png").read_bytes())
    index_photos([folder / "more"], folder / "more.store", load_toys, preset="mini", workers=0)
    words = ["retrieval", "--coco", "labels.json", "--images", "photos",
             "--distractors", "more.store"]  # fmt: skip
    code, found, err = run(capsys, *words)
    assert code == 0, err
    assert "distractors: 1 photos" in err
    among = "retrieval.with_distractors.text_to_segment."
    assert found[among + "segments"] == 12
    assert found[among + "map"] <= found["retrieval.text_to_segment.map"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "labels are wanted"),
        (["--coco", "x.json"], "--images"),
        (["ade150"], "--root"),
        (["ade150", "--root", ".", "--coco", "x.json"], "labels are wanted"),
        (["--coco", "x.json", "--images", ".", "--segmenter", "given"], "nothing to find"),
    ],
)
def test_what_retrieval_needs_is_said(folder, capsys, words, said):
    code, _, err = run(capsys, "retrieval", *words)
    assert code == 2
    assert said in err


class PartWords(toy_preset.ColourWords):
    """Heads are red, bodies are green, walls are white, all else is blue."""

    def encode(self, texts):
        named = {"quadruped head": "red", "quadruped body": "green", "wall": "white"}
        colours = [next((c for n, c in named.items() if n in text), "blue") for text in texts]
        return super().encode(colours)


@pytest.fixture
def parts(folder, monkeypatch):
    """Two photos of PartImageNet's form: a head and a body in each, beside a wall and the rest."""
    monkeypatch.setattr("usearch.models.presets.load_text_encoder", lambda preset: PartWords())
    names = [one[0] for one in name_list("partimagenet", "official").names]
    tiles = {"n02071294_1": ["red", "green", "blue", "white"],
             "n02071294_2": ["white", "red", "green", "blue"]}  # fmt: skip
    annotations = []
    for number, (stem, colours) in enumerate(tiles.items()):
        photo = toy_preset.quarters(folder / "set" / "val" / f"{stem}.png", *colours, side=80)
        photo.rename(photo.with_suffix(".JPEG"))
        for place, colour in enumerate(colours):
            if colour in ("red", "green"):
                x, y = place % 2 * 40, place // 2 * 40
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": ["red", "green"].index(colour),
                        "segmentation": [[x, y, x + 40, y, x + 40, y + 40, x, y + 40]],
                    }
                )
    document = {
        "images": [
            {"id": i, "file_name": f"{stem}.JPEG", "width": 80, "height": 80}
            for i, stem in enumerate(tiles)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": annotations,
    }
    (folder / "set" / "val.json").write_text(json.dumps(document))
    return folder / "set"


def test_parts_that_are_found_are_scored_and_segments_of_other_names_are_not(parts, capsys):
    code, found, err = run(capsys, "partimagenet", "--root", parts)
    assert code == 0, err
    assert found["parts.ap"] == pytest.approx(1.0)
    assert found["parts.quadruped_head.ap"] == pytest.approx(1.0)
    assert "parts.quadruped_foot.ap" not in found  # nothing of it is labelled


def test_a_part_that_is_taken_for_another_one_is_missed(parts, capsys, monkeypatch):
    class Blind(PartWords):
        def encode(self, texts):
            return super().encode([text.replace("quadruped body", "x") for text in texts])

    monkeypatch.setattr("usearch.models.presets.load_text_encoder", lambda preset: Blind())
    _, found, _ = run(capsys, "partimagenet", "--root", parts)
    assert found["parts.quadruped_head.ap"] == pytest.approx(1.0)
    assert found["parts.quadruped_body.ap"] == pytest.approx(0.0)
    assert found["parts.ap"] == pytest.approx(0.5)


def test_parts_with_a_bank_are_reported_beside(parts, capsys):
    code, found, err = run(capsys, "partimagenet", "--root", parts, "--bank", "self")
    assert code == 0, err
    assert found["bank.parts.ap"] == pytest.approx(1.0)


def test_masks_that_are_given_are_no_detections(parts, capsys):
    code, _, err = run(capsys, "partimagenet", "--root", parts, "--segmenter", "given")
    assert code == 2
    assert "no detections" in err
