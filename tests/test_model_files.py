"""Where weights are looked for, and what is said when they are missing or wrong."""

import hashlib
import re

import pytest

from usearch.errors import ModelError
from usearch.models import files
from usearch.models.files import (
    WEIGHTS,
    WeightFile,
    file_sha256,
    find_weights,
    require_packages,
    weight_dirs,
)

DATA = b"weights of a small model"


@pytest.fixture
def known(monkeypatch):
    """One known file of a few bytes."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    entry = WeightFile(
        "small.pth", "Small", len(DATA), sha256, "https://example.org/small.pth", "MIT"
    )
    monkeypatch.setitem(WEIGHTS, "small", entry)
    return entry


def test_the_table_names_size_checksum_address_and_terms_of_every_file():
    for known in WEIGHTS.values():
        assert known.sha256 is None or re.fullmatch("[0-9a-f]{64}", known.sha256)
        assert known.source.startswith("https://")
        assert known.source.endswith(known.name)
        assert known.licence
    # OpenAI's addresses hold the checksum; SAM's file names begin the MD5, not this sum.
    for key in ("clip-vit-b-32", "clip-vit-l-14-336"):
        assert WEIGHTS[key].sha256 in WEIGHTS[key].source


def test_the_places_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path / "mine"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    dirs = weight_dirs(tmp_path / "given")
    assert dirs[:2] == [tmp_path / "given", tmp_path / "mine"]
    assert dirs[3:] == [
        tmp_path / "cache" / "torch" / "hub" / "checkpoints",
        tmp_path / "cache" / "clip",
    ]


def test_the_first_place_that_has_the_file_wins(tmp_path, monkeypatch, known):
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path / "env"))
    for folder in ("given", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "small.pth").write_bytes(DATA)
    assert find_weights("small", tmp_path / "given") == tmp_path / "given" / "small.pth"
    assert find_weights("small") == tmp_path / "env" / "small.pth"


def test_a_missing_file_is_one_line_with_all_that_is_needed(tmp_path, monkeypatch, known):
    monkeypatch.setenv("USEARCH_MODELS", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        find_weights("small")
    assert "\n" not in caught.value.message + caught.value.hint
    for part in ("Small needs small.pth", known.sha256, str(tmp_path)):
        assert part in caught.value.message
    assert known.source in caught.value.hint
    assert "`usearch models pull small`" in caught.value.hint


def test_an_incomplete_or_altered_file_is_refused(tmp_path, known):
    path = tmp_path / "small.pth"
    path.write_bytes(DATA[:-3])
    with pytest.raises(ModelError, match="the download is incomplete"):
        find_weights("small", tmp_path)
    path.write_bytes(DATA[:-1] + b"X")
    with pytest.raises(ModelError, match="fails its checksum"):
        find_weights("small", tmp_path)
    with pytest.raises(ModelError, match="fails its checksum"):
        find_weights("small", path)


def test_a_file_of_another_name_is_the_user_s_own_choice(tmp_path, known):
    mine = tmp_path / "fine-tuned.pth"
    mine.write_bytes(b"mine")
    assert find_weights("small", mine) == mine


def test_a_path_that_does_not_exist_is_named(tmp_path, known):
    with pytest.raises(ModelError, match=r"none\.pth .* does not exist"):
        find_weights("small", tmp_path / "none.pth")


def test_a_checksum_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    assert file_sha256(path) == hashlib.sha256(b"one").hexdigest()

    def no_hashing(*_):
        raise AssertionError("hashed again")

    with monkeypatch.context() as patch:
        patch.setattr(files.hashlib, "sha256", lambda *a: hashlib_sha(*a) if a else no_hashing())
        assert file_sha256(path) == hashlib.new("sha256", b"one").hexdigest()
    path.write_bytes(b"another")
    assert file_sha256(path) == hashlib.sha256(b"another").hexdigest()


hashlib_sha = hashlib.sha256


def test_an_unreadable_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        file_sha256(tmp_path / "none")


def test_missing_packages_name_the_extra_to_install():
    with pytest.raises(ModelError, match="this needs no_such_package") as caught:
        require_packages("json", "no_such_package")
    assert caught.value.hint == "pip install 'use-segments[torch]'"
    require_packages("json")
