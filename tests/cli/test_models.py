"""`usearch models`: what there is, where it is, and how it is fetched."""

from __future__ import annotations

import hashlib
import io
import json

import pytest

from usearch.cli import main
from usearch.models import files
from usearch.models.files import WEIGHTS, WeightFile

DATA = b"weights of a small model"


@pytest.fixture
def small(monkeypatch, tmp_path):
    """One published file of a few bytes, and the folder where it belongs."""
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path / "models"))
    known = WeightFile(
        "small.pth", "Small", len(DATA), hashlib.sha256(DATA).hexdigest(),
        "http://127.0.0.1:9/small.pth", "MIT",
    )  # fmt: skip
    monkeypatch.setitem(WEIGHTS, "small", known)
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "small.pth"


def rows(capsys):
    return {line.split("\t")[0]: line.split("\t") for line in capsys.readouterr().out.splitlines()}


def test_the_list_says_of_each_model_what_for_how_large_whose_terms_and_where(small, capsys):
    assert main(["models", "list"]) == 0
    found = rows(capsys)
    assert list(found) == ["mini", *WEIGHTS, "use-large"]
    assert found["mini"][1] == "here"
    assert found["sam-vit-b"][1:5] == [
        "not here", "375042383", "Apache-2.0", "segmenter sam, with sam = vit-b",
    ]  # fmt: skip
    assert found["small"][5] == str(small)


def test_a_file_of_the_wrong_size_is_incomplete(small, capsys):
    small.write_bytes(DATA[:5])
    main(["models", "list"])
    assert rows(capsys)["small"][1] == "incomplete"


def test_the_list_as_json_and_as_a_table(small, capsys, monkeypatch):
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert {"name", "what", "use", "bytes", "licence", "path", "here", "complete"} <= set(listed[0])
    monkeypatch.setattr("usearch.cli.models.is_terminal", lambda: True)
    assert main(["models", "list"]) == 0
    assert "licence" in capsys.readouterr().out


def test_the_card_of_the_bundled_model_has_its_sources_and_limits(capsys):
    assert main(["models", "info", "mini"]) == 0
    shown = capsys.readouterr().out
    assert "limits:" in shown and "English only" in shown and "sources:" in shown
    assert main(["models", "info", "mini", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["name"] == "mini 2"


def test_info_of_weights_of_a_preset_and_of_a_folder(tmp_path, capsys):
    assert main(["models", "info", "sam-vit-h"]) == 0
    assert "segment_anything/sam_vit_h_4b8939.pth" in capsys.readouterr().out
    assert main(["models", "info", "large"]) == 0
    assert "dinov2-vit-l-14:" in capsys.readouterr().out
    (tmp_path / "head.json").write_text('{"format": 1, "notes": {"data": "none"}}')
    assert main(["models", "info", str(tmp_path)]) == 0
    assert "data: none" in capsys.readouterr().out


def test_info_of_what_is_no_model(tmp_path, capsys):
    assert main(["models", "info", str(tmp_path)]) == 6
    (tmp_path / "card.json").write_text("[" * 9)
    assert main(["models", "info", str(tmp_path)]) == 6
    assert main(["models", "info", "sam-vit-a"]) == 2
    assert "did you mean 'sam-vit-" in capsys.readouterr().err


def test_path_prints_the_file_or_says_how_to_get_it(small, capsys):
    assert main(["models", "path", "small"]) == 6
    streams = capsys.readouterr()
    assert streams.out == "" and "usearch models pull small" in streams.err
    small.write_bytes(DATA)
    assert main(["models", "path", "small"]) == 0
    assert capsys.readouterr().out == f"{small}\n"
    assert main(["models", "path", "use-large"]) == 6
    assert "usearch train" in capsys.readouterr().err


def test_path_without_a_name_prints_the_folders_in_their_order(small, capsys):
    assert main(["models", "path"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(small.parent)


def test_verify_checks_what_is_here_and_ends_with_9_when_it_is_damaged(small, capsys):
    assert main(["models", "verify"]) == 0
    assert rows(capsys)["mini"][1] == "ok"
    assert main(["models", "verify", "small"]) == 9
    assert rows(capsys)["small"][1] == "missing"
    small.write_bytes(DATA)
    assert main(["models", "verify", "small"]) == 0
    small.write_bytes(DATA[::-1])
    assert main(["models", "verify", "small"]) == 9
    assert rows(capsys)["small"][1] == "damaged"


def test_a_damaged_bundled_model_is_found(monkeypatch, tmp_path, capsys):
    import shutil

    from usearch.models import presets

    shutil.copytree(presets.MINI_FOLDER, tmp_path / "mini")
    (tmp_path / "mini" / "background.txt").write_text("other\n")
    monkeypatch.setattr(presets, "mini_card", lambda: presets.read_card(tmp_path / "mini"))
    assert main(["models", "verify", "mini", "--json"]) == 9
    assert json.loads(capsys.readouterr().out)["models"][0]["state"] == "damaged"


def test_pull_says_what_it_would_fetch_and_fetches_nothing_unasked(small, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["models", "pull", "small"]) == 2
    err = capsys.readouterr().err
    assert "small: Small, 0 MB, MIT" in err
    assert f"http://127.0.0.1:9/small.pth -> {small}" in err
    assert "--yes" in err


@pytest.mark.parametrize(("answer", "code"), [("n\n", 2), ("\n", 2), ("", 2), ("y\n", 8)])
def test_on_a_terminal_pull_asks(small, loopback, monkeypatch, capsys, answer, code):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["models", "pull", "small"]) == code
    assert "[y/N]" in capsys.readouterr().err


def test_offline_pull_ends_with_8_and_says_where_the_file_belongs(small, loopback, capsys):
    assert main(["models", "pull", "small", "--yes"]) == 8
    assert f"put it at {small}" in capsys.readouterr().err


def test_pull_of_what_is_here_opens_no_connection(small, capsys):
    small.write_bytes(DATA)
    assert main(["models", "pull", "small", "--yes"]) == 0
    assert main(["models", "pull", "mini"]) == 0
    assert "all of it is here" in capsys.readouterr().err


def test_pull_fetches_and_verifies(small, monkeypatch, capsys):
    def fetch(known, folder, tell=None):
        (folder / known.name).write_bytes(DATA)
        return folder / known.name

    monkeypatch.setattr("usearch.models.pull.pull", fetch)
    assert main(["models", "pull", "small", "--yes"]) == 0
    assert capsys.readouterr().out == f"{small}\n"
    assert files.find_weights("small") == small


def test_what_nobody_publishes_cannot_be_pulled(capsys):
    assert main(["models", "pull", "use-large"]) == 2
    assert "usearch train" in capsys.readouterr().err
    assert main(["models", "pull"]) == 2


def test_a_preset_stands_for_the_files_it_needs(capsys, monkeypatch):
    monkeypatch.setenv("USEARCH_SAM", "vit-b")
    assert main(["models", "pull", "large"]) == 2
    err = capsys.readouterr().err
    for name in ("ViT-L-14-336px.pt", "dinov2_vitl14_pretrain.pth", "sam_vit_b_01ec64.pth"):
        assert name in err
