"""`usearch train` in an installation without torch."""

import sys

import pytest

from usearch.cli import main
from usearch.errors import ExitCode


@pytest.mark.parametrize(
    "words",
    [["train", "pairs.parquet", "-o", "run"], ["train", "export", "run"]],
    ids=["train", "export"],
)
def test_what_is_missing_is_said_with_how_to_get_it(words, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(words) == ExitCode.MODEL
    err = capsys.readouterr().err
    assert "this needs torch" in err and "pip install 'use-segments[train]'" in err
    assert not list(tmp_path.iterdir())
