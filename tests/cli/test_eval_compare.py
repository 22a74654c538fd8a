"""`usearch eval compare`: two reports on the command line."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from report_samples import reader, toy_report

from eval.report_json import read_report, report_text
from usearch.cli import main
from usearch.cli.eval_output import check_places, show_report
from usearch.errors import InputError
from usearch.schemas import schema


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """a.json and b.json in the current folder; b is better."""
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text(report_text(toy_report(wrong=0.5)))
    Path("b.json").write_text(report_text(toy_report(wrong=0.2)))
    return tmp_path


def test_a_pipe_gets_a_metric_a_line(reports, capsys):
    assert main(["eval", "compare", "a.json", "b.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    key, first, second, change, low, high, verdict = lines[0].split("\t")
    assert (key, verdict) == ("miou_present", "higher")
    assert float(second) - float(first) == pytest.approx(float(change), abs=1e-5)
    assert float(low) < float(change) < float(high)


def test_json_is_valid_and_repeats_with_the_same_seed(reports, capsys):
    command = ["eval", "compare", "a.json", "b.json", "--json", "--rounds", "200"]
    assert main([*command, "--seed", "7"]) == 0
    text = capsys.readouterr().out
    jsonschema.Draft202012Validator(schema("eval.compare")).validate(json.loads(text))
    main([*command, "--seed", "7"])
    assert capsys.readouterr().out == text
    main([*command, "--seed", "8"])
    assert capsys.readouterr().out != text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a.json", "none.json"], 3, "cannot read none.json"),
        (["a.json", "other.json"], 3, "another class list: toy/first in a.json, x in other.json"),
        (["a.json", "text.json"], 3, "text.json is no JSON"),
        (["a.json", "b.json", "--rounds", "3"], 2, "--rounds 3"),
        (["a.json", "b.json", "--seed", "-1"], 2, "--seed -1"),
        (["a.json"], 2, "B.json"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(reports, capsys, words, code, said):
    other = dataclasses.replace(toy_report(), list_id="x")
    Path("other.json").write_text(report_text(other))
    Path("text.json").write_text("mIoU = 0.3")
    assert main(["eval", "compare", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_a_report_is_printed_and_written(tmp_path, capsys):
    found, (read, _) = toy_report(), reader()
    path, page = tmp_path / "r.json", tmp_path / "r.html"
    check_places(path, page, force=False)
    show_report(found, read, json=True, report=path, page=page)
    captured = capsys.readouterr()
    assert captured.out == path.read_text() == report_text(found)
    assert read_report(path).metrics == found.metrics
    assert page.read_text().startswith("<!doctype html>")
    assert "wrote" in captured.err


def test_places_that_are_taken_are_refused_before_anything_is_measured(tmp_path):
    taken = tmp_path / "r.json"
    taken.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        check_places(taken, None, force=False)
    check_places(taken, None, force=True)
    with pytest.raises(InputError, match="no folder"):
        check_places(None, tmp_path / "none" / "r.html", force=False)


def test_without_json_a_pipe_gets_a_metric_a_line(capsys):
    show_report(toy_report())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("miou_present\t0.")
    assert len(lines) == len(toy_report().metrics)


def test_a_terminal_gets_a_table(reports, monkeypatch, capsys):
    monkeypatch.setattr("usearch.cli.eval_compare.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    assert main(["eval", "compare", "a.json", "b.json"]) == 0
    out = capsys.readouterr().out
    assert "A a.json" in out
    assert "higher" in out
    assert "drawn again 1,000 times" in out
