"""What the commands print with `--json` is valid against the schemas that are packaged."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import toy_preset
from toys import load_toys

import usearch.cli
from indexer.pipeline import index_photos
from usearch.cli import main
from usearch.schemas import names, schema


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A store of two photos and a file that is none; the folder that holds it is current."""
    toy_preset.install(monkeypatch)
    toy_preset.quarters(tmp_path / "photos" / "a.png", "red", "green", "blue", "white")
    toy_preset.quarters(tmp_path / "photos" / "b.png", "green", "green", "blue", "blue")
    (tmp_path / "photos" / "broken.jpg").write_text("no photo")
    index_photos([tmp_path / "photos"], tmp_path / ".usearch", load_toys, preset="mini", workers=0)
    (tmp_path / "classes.txt").write_text("red\ngreen\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def valid(name: str, document: object) -> None:
    jsonschema.Draft202012Validator(schema(name)).validate(document)


COMMANDS = {
    "query": ["query", "red"],
    "query, nothing found": ["query", "black"],
    "query, any of two": ["query", "-q", "red", "-q", "green", "--explain"],
    "index": ["index", "photos"],
    "index, to be done": ["index", "photos", "--dry-run"],
    "segment": ["segment", "photos", "--classes", "classes.txt", "-o", "maps"],
    "info": ["info"],
    "sql": ["sql", "select path, area_share, null from segments join photos using (photo_id)"],
    "check": ["check"],
    "rebuild": ["rebuild"],
    "compact": ["compact"],
    "export": ["export", "-o", "x.json"],
    "export, hits": ["export", "-o", "x.parquet", "-q", "red", "--where", "width > 1"],
    "export, nothing": ["export", "-o", "x.json", "--where", "width > 5000"],
    "classify": ["classify", "--classes", "classes.txt"],
    "doctor": ["doctor"],
    "config": ["config"],
    "models.list": ["models", "list"],
    "models.info": ["models", "info", "mini"],
    "models.verify": ["models", "verify"],
}


@pytest.mark.parametrize("case", COMMANDS)
def test_the_output_of_a_command_is_valid_and_names_its_schema(case, folder, capsys):
    name = case.partition(",")[0]
    assert main([*COMMANDS[case], "--json"]) in (0, 1)
    document = json.loads(capsys.readouterr().out)
    valid(name, document)
    assert document["schema"] == f"usearch.{name}/1"
    assert schema(name)["$id"] == document["schema"]


def test_each_line_of_jsonl_is_valid(folder, capsys):
    assert main(["query", "-q", "red", "--jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    for line in lines:
        valid("query.lines", json.loads(line))


def test_every_command_with_json_has_a_schema():
    printed = {
        name.replace(" ", ".")
        for path in Path(usearch.cli.__file__).parent.glob("*.py")
        for name in re.findall(r'json_result\(\s*"([a-z ]+)"', path.read_text())
    }
    assert printed <= set(names())


@pytest.mark.parametrize("name", names())
def test_schemas_are_schemas_that_allow_new_keys_and_pin_the_old(name):
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert '"additionalProperties": false' not in json.dumps(found)
    with pytest.raises(jsonschema.ValidationError):
        valid(name, {})


def test_a_hit_is_the_same_in_every_schema():
    assert schema("query")["$defs"]["hit"] == schema("query.lines")["$defs"]["hit"]


@pytest.mark.parametrize("key", ["rank", "score", "image", "box", "rle", "segment"])
def test_a_hit_without_one_of_its_keys_is_not_valid(key, folder, capsys):
    main(["query", "red", "--json"])
    document = json.loads(capsys.readouterr().out)
    del document["hits"][0][key]
    with pytest.raises(jsonschema.ValidationError, match=key):
        valid("query", document)
