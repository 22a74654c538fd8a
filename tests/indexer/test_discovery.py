"""Finding photos: which files count, each once, whatever the folders hold."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.photos import Survey, discover
from usearch.errors import InputError


def paths(*roots, **options):
    return [photo.path for photo in discover(roots, **options)]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_folders_are_searched_below_in_a_stable_order(tmp_path):
    touch(tmp_path, "b.jpg", "a/z.png", "a/y/x.webp", "c.JPEG")
    assert sorted(paths(tmp_path)) == ["a/y/x.webp", "a/z.png", "b.jpg", "c.JPEG"]
    assert paths(tmp_path) == paths(tmp_path)


def test_endings_preselect_without_regard_to_case_and_others_are_counted(tmp_path):
    touch(tmp_path, "a.jpg", "B.JPG", "c.JpEg", "notes.txt", "film.mov", "d.heic", "e.svg")
    survey = Survey()
    assert paths(tmp_path, survey=survey) == ["B.JPG", "a.jpg", "c.JpEg", "d.heic"]
    assert survey.other_suffixes == {".txt": 1, ".mov": 1, ".svg": 1}


def test_a_file_without_ending_is_taken_when_it_begins_like_a_photo(tmp_path):
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff\xe0rest")
    (tmp_path / "webp").write_bytes(b"RIFF\0\0\0\0WEBPVP8 ")
    (tmp_path / "heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (tmp_path / "film").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0")
    (tmp_path / "Makefile").write_bytes(b"all:\n")
    assert paths(tmp_path) == ["heic", "photo", "webp"]


def test_patterns_match_names_or_paths_and_replace_the_endings(tmp_path):
    touch(tmp_path, "a.jpg", "b.raw", "trip/c.jpg", "trip/thumbs/d.jpg")
    assert paths(tmp_path, include=["*.RAW"]) == ["b.raw"]
    assert paths(tmp_path, include=["trip/*"]) == ["trip/c.jpg", "trip/thumbs/d.jpg"]
    assert paths(tmp_path, exclude=["thumbs"]) == ["a.jpg", "trip/c.jpg"]


def test_hidden_files_folders_and_the_store_are_left_out(tmp_path):
    touch(tmp_path, ".hidden.jpg", ".cache/a.jpg", "seen.jpg", "vectors/b.jpg")
    survey = Survey()
    assert paths(tmp_path, leave_out=[tmp_path / "vectors"], survey=survey) == ["seen.jpg"]
    assert survey.hidden == 2


def test_a_hidden_folder_that_is_asked_for_is_searched(tmp_path):
    touch(tmp_path, ".private/a.jpg")
    assert paths(tmp_path / ".private") == ["a.jpg"]


def test_a_single_file_is_taken_whatever_its_name_is(tmp_path):
    touch(tmp_path, "IMG.weird")
    (photo,) = discover([tmp_path / "IMG.weird"])
    assert (photo.root, photo.path) == (str(tmp_path), "IMG.weird")


def test_a_loop_of_links_ends_and_each_photo_is_found_once(tmp_path):
    touch(tmp_path, "a/one.jpg", "b/two.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "0-first").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "copy.jpg").symlink_to(tmp_path / "a" / "one.jpg")
    (tmp_path / "self").symlink_to("self")
    assert sorted(paths(tmp_path)) == ["a/one.jpg", "b/two.jpg"]
    assert sorted(paths(tmp_path, follow_links=True)) == ["a/one.jpg", "b/two.jpg"]


def test_links_out_of_the_root_are_followed_only_when_asked(tmp_path):
    touch(tmp_path, "elsewhere/x.jpg", "elsewhere/sub/y.jpg", "single.jpg", "root/in.jpg")
    root = tmp_path / "root"
    (root / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "file.jpg").symlink_to(tmp_path / "single.jpg")
    survey = Survey()
    assert paths(root, survey=survey) == ["in.jpg"]
    assert survey.links_left_out == 2
    found = paths(root, follow_links=True)
    assert sorted(found) == ["file.jpg", "in.jpg", "out/sub/y.jpg", "out/x.jpg"]


def test_a_link_to_a_hidden_place_inside_the_root_is_followed(tmp_path):
    touch(tmp_path, ".objects/x.jpg", ".objects/y.jpg")
    (tmp_path / "shown.jpg").symlink_to(tmp_path / ".objects" / "x.jpg")
    assert paths(tmp_path) == ["shown.jpg"]


def test_overlapping_roots_give_each_photo_once(tmp_path):
    touch(tmp_path, "a.jpg", "sub/b.jpg")
    assert sorted(paths(tmp_path, tmp_path / "sub")) == ["a.jpg", "sub/b.jpg"]
    assert sorted(paths(tmp_path / "sub", tmp_path)) == ["a.jpg", "b.jpg"]


def test_a_file_asked_for_beside_its_folder_is_found_once(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    one = tmp_path / "b.jpg"
    assert paths(one, tmp_path) == ["b.jpg", "a.jpg"]
    assert paths(tmp_path, one, one) == ["a.jpg", "b.jpg"]


def test_a_root_that_is_a_link_gives_its_photos_by_their_real_place(tmp_path):
    touch(tmp_path, "real/sub/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "one.jpg").symlink_to(tmp_path / "real" / "sub" / "a.jpg")
    (photo,) = discover([tmp_path / "link"])
    assert photo.full_path == str(tmp_path / "real" / "sub" / "a.jpg")
    (photo,) = discover([tmp_path / "link" / "sub" / "a.jpg"])
    assert photo.full_path == str(tmp_path / "real" / "sub" / "a.jpg")
    (photo,) = discover([tmp_path / "one.jpg"])
    assert photo.full_path == str(tmp_path / "real" / "sub" / "a.jpg")


def test_a_photo_and_links_to_it_asked_for_together_are_one_photo(tmp_path):
    touch(tmp_path, "real/a.jpg")
    for name in ("one.jpg", "two"):
        (tmp_path / name).symlink_to(tmp_path / "real" / "a.jpg")
    (photo,) = discover([tmp_path / "one.jpg", tmp_path / "real", tmp_path / "two"])
    assert photo.full_path == str(tmp_path / "real" / "a.jpg")


def test_pipes_sockets_and_devices_are_named_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")  # without an ending: must not be opened for its first bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        problems = {photo.path: photo.problem for photo in discover([tmp_path])}
    assert problems == {"pipe.jpg": "a pipe", "socket.jpg": "a socket"}


def test_a_missing_root_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match="no such file or directory") as caught:
        paths(tmp_path / "nowhere")
    assert "store" not in caught.value.hint, "also said where no store is involved"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_goes_on(tmp_path):
    touch(tmp_path, "shut/a.jpg", "open/b.jpg")
    (tmp_path / "shut").chmod(0)
    try:
        survey = Survey()
        assert paths(tmp_path, survey=survey) == ["open/b.jpg"]
        assert survey.unreadable == {str(tmp_path / "shut"): "permission denied"}
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_folder_that_goes_away_while_it_is_searched_is_reported(tmp_path):
    touch(tmp_path, "a/one.jpg", "b/two.jpg")
    survey = Survey()
    search = discover([tmp_path], survey=survey)
    assert next(search).path == "a/one.jpg"
    (tmp_path / "b" / "two.jpg").unlink()
    (tmp_path / "b").rmdir()
    assert list(search) == []
    assert survey.unreadable == {str(tmp_path / "b"): "no such file or directory"}


_names = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and not name.startswith(b".")
)


@given(name=_names)
def test_any_bytes_are_a_file_name_that_finds_its_file_again(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    made = os.fsencode(folder) + b"/" + name + b".jpg"
    Path(os.fsdecode(made)).write_bytes(b"x")
    (photo,) = discover([folder])
    assert os.fsencode(photo.full_path) == made
    assert Path(photo.full_path).read_bytes() == b"x"


def test_odd_names_of_the_hard_photos_are_all_found(shared):
    root = shared / "data" / "photos-hard" / "files"
    on_disk = {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".svg"
    }
    assert set(paths(root)) == on_disk
