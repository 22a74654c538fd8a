"""Settings: flags, then variables, then the project's file, then the user's, then defaults."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usearch import settings
from usearch.errors import UsageError
from usearch.settings import SETTINGS, all_settings, found_setting, option_defaults, setting


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder with a folder in it, in which one stands."""
    (tmp_path / "project" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "photos")
    return tmp_path / "project"


def user_file() -> Path:
    path = settings.config_dir() / "usearch.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refused(project, text, *, file="usearch.toml"):
    """What is said about a file: the message and the hint."""
    (project / file).write_text(text)
    with pytest.raises(UsageError) as caught:
        all_settings()
    return caught.value.message, caught.value.hint


def test_each_source_wins_over_the_next(project, monkeypatch):
    assert setting("top") == 10
    user_file().write_text("top = 20\npreset = 'clip'")
    assert setting("top") == 20
    (project / "usearch.toml").write_text("top = 30")
    assert setting("top") == 30
    assert setting("preset") == "clip", "the user's file fills what the project's leaves open"
    monkeypatch.setenv("USEARCH_TOP", "40")
    assert setting("top") == 40
    assert setting("top", 50) == 50


def test_every_value_knows_who_set_it(project, monkeypatch):
    (project / "usearch.toml").write_text("# mine\n\ntop = 30\n")
    monkeypatch.setenv("USEARCH_DEVICE", "cpu")
    assert found_setting("top").origin == f"{project / 'usearch.toml'}:3"
    assert found_setting("device").origin == "USEARCH_DEVICE"
    assert found_setting("preset").origin == "default"


def test_only_what_somebody_set_becomes_the_default_of_an_option(project):
    assert option_defaults() == {}
    (project / "usearch.toml").write_text("max-side = 512\ntop = 3\npreset = 'clip'")
    assert option_defaults() == {"max_side": 512, "preset": "clip"}


def test_the_nearest_project_file_upwards_is_read_and_no_other(project):
    (project.parent / "usearch.toml").write_text("top = 1")
    assert setting("top") == 1
    (project / "usearch.toml").write_text("workers = 2")
    assert (setting("top"), setting("workers")) == (10, 2)


def test_folders_are_relative_to_the_file_that_names_them(project, monkeypatch):
    (project / "usearch.toml").write_text('models = "weights"\nstore = "~/here"')
    assert setting("models") == project / "weights"
    assert setting("store") == Path.home() / "here"
    monkeypatch.setenv("USEARCH_MODELS", "weights")
    assert setting("models") == Path("weights")


def test_an_unknown_key_is_an_error_that_guesses_what_was_meant(project):
    message, hint = refused(project, "top = 3\nmin_scoer = 0.5\n")
    assert message == f"{project / 'usearch.toml'}:2: there is no setting 'min_scoer'"
    assert hint.startswith("did you mean 'min_score'?")
    message, _ = refused(project, "\n[query]\ntop = 3")
    assert message.endswith(":2: there is no setting 'query'")


@pytest.mark.parametrize(
    ("line", "said", "wanted"),
    [
        ("top = '3'", "top is '3'", "a whole number from 1"),
        ("top = 0", "top is 0", "a whole number from 1"),
        ("top = true", "top is True", "a whole number from 1"),
        ("top = 1.5", "top is 1.5", "a whole number from 1"),
        ("min_score = 1.1", "min_score is 1.1", "a number from 0 to 1"),
        ("min_score = nan", "min_score is nan", "a number from 0 to 1"),
        ("min_score = [0.5]", "min_score is a list", "a number from 0 to 1"),
        ("store = 3", "store is 3", "the path of a folder"),
        ('store = ""', "store is ''", "the path of a folder"),
        ("debug = 1", "debug is 1", "true or false"),
        ("device = 2", "device is 2", "a word"),
        ("sam = 'vit-x'", "sam is 'vit-x'", "vit-b, vit-l, vit-h"),
        ("preset = 1979-05-27", "preset is a date", "a word"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_file_and_line(project, line, said, wanted):
    message, hint = refused(project, f"# a comment\n{line}\n")
    assert message == f"{project / 'usearch.toml'}:2: {said}"
    assert wanted in hint


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("USEARCH_TOP", "ten")
    with pytest.raises(UsageError, match="USEARCH_TOP: top is 'ten'"):
        setting("top")


def test_a_file_that_is_not_toml_is_named_with_the_line(project):
    message, _ = refused(project, "top = 3\nworkers = = 2\n")
    assert message.startswith(f"{project / 'usearch.toml'}:2: not TOML")
    (project / "usearch.toml").write_bytes(b"top = 3\n\xff")
    with pytest.raises(UsageError, match="not TOML"):
        setting("top")


def test_a_setting_twice_in_one_file_is_refused(project):
    assert "set twice" in refused(project, "min-score = 0.1\nmin_score = 0.2\n")[0]


def test_a_file_with_a_byte_order_mark_is_read(project):
    (project / "usearch.toml").write_bytes(b"\xef\xbb\xbftop = 7\r\n")
    assert setting("top") == 7


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("no", False), ("TRUE", True), ("0", False)]
)
def test_a_switch_as_a_variable_takes_the_usual_words(monkeypatch, text, value):
    monkeypatch.setenv("USEARCH_DEBUG", text)
    assert setting("debug") is value


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("USEARCH_TOP", "")
    assert setting("top") == 10


def test_variables_that_are_no_settings_are_found_and_foreign_ones_left_alone(monkeypatch):
    monkeypatch.setenv("USEARCH_TPO", "3")
    monkeypatch.setenv("USEARCH_USE_SIMSIMD", "1")
    monkeypatch.setenv("USEARCH_TOKEN", "a secret of usearch serve")
    assert settings.unknown_variables() == ["USEARCH_TPO"]


def test_the_template_sets_nothing_and_names_everything(project):
    text = "\n".join(settings.template())
    assert tomllib.loads(text) == {}
    lines = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    (project / "usearch.toml").write_text("\n".join(lines))
    all_settings()  # every example is one that may be
    assert list(tomllib.loads("\n".join(lines))) == list(SETTINGS)


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=3))))
def test_whatever_a_file_says_it_is_taken_or_refused_with_its_name(keys):
    import json
    import tempfile

    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in keys.items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "usearch.toml"
        file.write_text("\n".join(lines))
        try:
            read = settings._read(file)
        except UsageError as error:
            assert str(file) in error.message
        else:
            assert {name.replace("-", "_") for name in keys} == set(read)


def test_without_a_file_no_parser_is_imported(project):
    code = "import sys; from usearch.settings import option_defaults; option_defaults(); "
    code += "print(int('tomllib' in sys.modules))"

    def imports_it() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert imports_it() == "0"
    (project / "usearch.toml").write_text("top = 3")
    assert imports_it() == "1"


def test_a_current_folder_that_was_removed_is_no_bug(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    assert setting("top") == 10


def test_a_user_without_a_home_has_defaults_and_no_error(project, monkeypatch):
    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(settings.Path, "home", none)
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert setting("top") == 10
    assert not settings.candidate_files()[1].exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every folder")
def test_a_folder_above_that_may_not_be_searched_has_no_settings(project):
    project.chmod(0o000)
    try:
        assert setting("top") == 10
    finally:
        project.chmod(0o700)
