"""`usearch config`, and settings as what options default to."""

from __future__ import annotations

import json

import pytest

from usearch.cli import main
from usearch.settings import SETTINGS


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_prints_every_setting_with_its_value_and_who_set_it(here, capsys, monkeypatch):
    (here / "usearch.toml").write_text("top = 30\n")
    monkeypatch.setenv("USEARCH_DEVICE", "cpu")
    assert main(["config"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == list(SETTINGS)
    assert ["top", "30", f"{here / 'usearch.toml'}:1"] in lines
    assert ["device", "cpu", "USEARCH_DEVICE"] in lines
    assert ["store", "(the nearest .usearch from here upwards)", "default"] in lines
    assert f"{here / 'usearch.toml'}: read" in err


def test_as_json_it_is_one_object(here, capsys, monkeypatch):
    monkeypatch.setenv("USEARCH_TPO", "3")
    monkeypatch.setenv("USEARCH_STORE", "big")
    assert main(["config", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["store"] == {
        "value": "big", "origin": "USEARCH_STORE", "variable": "USEARCH_STORE",
    }  # fmt: skip
    assert found["settings"]["top"]["value"] == 10
    assert found["unknown_variables"] == ["USEARCH_TPO"]
    assert [file["exists"] for file in found["files"]] == [False, False]


def test_on_a_terminal_it_is_a_table(capsys, monkeypatch):
    monkeypatch.setattr("usearch.cli.config.is_terminal", lambda: True)
    assert main(["config"]) == 0
    assert "set by" in capsys.readouterr().out


def test_the_template_is_a_file_to_begin_with(here, capsys):
    assert main(["config", "--template"]) == 0
    (here / "usearch.toml").write_text(capsys.readouterr().out)
    assert main(["config"]) == 0


@pytest.mark.parametrize("words", [["config"], ["info"], ["query", "red"]])
def test_a_wrong_file_ends_every_command_with_2_and_file_and_line(words, here, capsys):
    (here / "usearch.toml").write_text("tpo = 3\n")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert f"{here / 'usearch.toml'}:1: there is no setting 'tpo'" in err
    assert "did you mean 'top'?" in err


def test_help_is_given_whatever_the_settings_are(here, capsys):
    (here / "usearch.toml").write_text("tpo = 3\n")
    assert main(["query", "--help"]) == 0
    assert main(["--help"]) == 0


def test_an_option_takes_its_default_from_the_setting_of_its_name(here, capsys, monkeypatch):
    (here / "usearch.toml").write_text('store = "nowhere"\n')
    assert main(["info"]) == 4
    assert str(here / "nowhere") in capsys.readouterr().err
    monkeypatch.setenv("USEARCH_STORE", "elsewhere")
    assert main(["info"]) == 4
    assert "elsewhere" in capsys.readouterr().err
    assert main(["info", "--store", "here"]) == 4
    assert "here" in capsys.readouterr().err


def test_debug_may_be_a_setting(here, monkeypatch, capsys):
    from usearch.cli import entry

    def fail(_words):
        raise ZeroDivisionError

    monkeypatch.setattr(entry, "run_command", fail)
    (here / "usearch.toml").write_text("debug = true\n")
    assert main(["info"]) == 70
    assert "Traceback" in capsys.readouterr().err
