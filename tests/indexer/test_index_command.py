"""`usearch index` as a person meets it: what it says, where, and with which exit code."""

import json
import os
import signal

import pytest
from photo_folders import picture
from toys import SPACE, ColourEmbedder, GridSegmenter, load_mined, load_toys

import usearch.cli.index as command
from usearch.cli import main
from usearch.store import open_snapshot, open_writer


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    """The command with toy models, in this process, run in an empty folder."""
    monkeypatch.setattr(command, "_loader", lambda *_: load_toys)
    monkeypatch.setattr(command, "_default_workers", lambda *_: 0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        picture(tmp_path / "photos" / f"{number}.png", number)
    return tmp_path / "photos"


def index(*words):
    return main(["index", *map(str, words)])


def test_the_first_run_makes_a_store_here_and_says_what_it_did(folder, tmp_path, capsys):
    assert index("photos") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "(new)" in err and "3 photos indexed, 12 segments" in err
    assert open_snapshot(tmp_path / ".usearch").n_photos == 3


def test_without_a_terminal_there_is_no_progress_and_no_control_character(folder, capsys):
    index("photos")
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in err)


def test_the_store_is_the_one_named_or_the_nearest_one_above(folder, tmp_path, monkeypatch):
    assert index("photos", "--store", "named") == 0
    assert open_snapshot(tmp_path / "named").n_photos == 3
    assert not (tmp_path / ".usearch").exists()
    index("photos")
    monkeypatch.chdir(folder)
    picture(folder / "new.png", 9)
    assert index(".") == 0
    assert open_snapshot(tmp_path / ".usearch").n_photos == 4


def test_the_preset_of_the_store_is_taken_when_none_is_named(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "_loader", lambda preset, *_: asked.append(preset) or load_toys)
    index("photos", "--preset", "clip")
    index("photos")
    assert asked == ["clip", "clip"]


def test_settings_choose_the_models_of_a_new_store_and_not_of_one_that_exists(
    folder, tmp_path, monkeypatch, capsys
):
    asked = []
    monkeypatch.setattr(command, "_loader", lambda *a: asked.append(a[:2]) or load_toys)
    (tmp_path / "usearch.toml").write_text('preset = "clip"\nsegmenter = "sam"\n')
    index("photos")
    (tmp_path / "usearch.toml").write_text('preset = "large"\nsegmenter = "tree"\n')
    assert index("photos") == 0
    assert asked == [("clip", "sam"), ("clip", "grid")]
    index("photos", "--preset", "large")
    assert asked[-1][0] == "large", "the command line insists"


def test_another_segmenter_than_the_stores_is_refused_even_with_nothing_to_do(folder, capsys):
    index("photos")
    assert index("photos", "--segmenter", "sam") == 4
    assert "was cut by grid, not by sam" in capsys.readouterr().err


def test_skipped_photos_are_counted_by_reason_and_the_first_ten_listed(folder, capsys):
    for number in range(12):
        (folder / f"words-{number:02d}.jpg").write_bytes(b"no photo")
    (folder / "a.jpg").touch()
    assert index("photos", "--dry-run") == 0
    err = capsys.readouterr().err
    assert "16 photos found: 13 .jpg, 3 .png" in err
    assert "13 cannot be indexed: 12 not_an_image, 1 empty" in err
    assert "3 photos to index: about 12 segments" in err
    assert index("photos") == 0
    err = capsys.readouterr().err
    assert "13 skipped: 12 not_an_image, 1 empty" in err
    assert "a.jpg: empty: the file has no bytes" in err
    assert "words-08.jpg" in err and "words-09.jpg" not in err
    assert "and 3 more (--skipped)" in err
    assert index("photos") == 0
    assert "13 skipped before and not tried again (--retry)" in capsys.readouterr().err
    assert index("photos", "--retry", "--skipped") == 0
    assert "words-11.jpg" in capsys.readouterr().err


def test_strict_turns_a_skipped_photo_into_exit_code_3(folder):
    (folder / "a.jpg").touch()
    assert index("photos", "--strict") == 3
    assert index("photos", "--strict") == 3, "it is still skipped, without being tried again"
    assert index("photos") == 0


def test_when_no_photo_at_all_can_be_read_the_exit_code_is_3(tmp_path, capsys):
    (tmp_path / "a.jpg").touch()
    assert index("a.jpg") == 3
    assert index("a.jpg") == 3, "on every run"
    assert "1 skipped: 1 empty" in capsys.readouterr().err


def test_json_is_one_object_with_everything_that_was_said(folder, capsys):
    (folder / "a.jpg").touch()
    assert index("photos", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema_version"], found["found"], found["indexed"]) == (1, 4, 3)
    assert (found["segments"], found["stopped"]) == (12, False)
    assert found["skipped"] == [
        {"path": str(folder / "a.jpg"), "reason": "empty", "detail": "the file has no bytes"}
    ]
    assert set(found["worker_seconds"]) == {"decode", "segment", "embed", "store"}


def test_names_that_could_steer_a_terminal_are_escaped(folder, capsys):
    (folder / "a\x1b[2Jb\nc.jpg").touch()
    os.close(os.open(os.fsencode(folder) + b"/\xff.jpg", os.O_CREAT | os.O_WRONLY))
    assert index("photos", "--json") == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in err + out and r"a\x1b[2Jb\x0ac.jpg" in err and r"\xff.jpg" in err
    assert json.loads(out)["skipped"][0]["path"].endswith("a\x1b[2Jb\nc.jpg")


def test_what_cannot_work_says_so_with_its_code(folder, tmp_path, capsys):
    cases = [
        (["nowhere"], 3, "no such file or directory"),
        (["photos", "--workers", "0"], 2, "--workers"),
        (["photos", "--max-pixels", "many"], 2, "--max-pixels"),
        (["photos", "--masks", "m.json", "--segmenter", "tree"], 2, "belong together"),
        (["photos", "--segmenter", "given"], 2, "belong together"),
        ([], 2, "PATH"),
    ]
    (tmp_path / "empty").mkdir()
    cases.append((["empty"], 3, "no photos in"))
    for words, code, said in cases:
        assert index(*words) == code, words
        err = capsys.readouterr().err
        assert said in err and "Traceback" not in err, (words, err)
    assert not (tmp_path / ".usearch").exists()


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(folder, tmp_path, capsys):
    (folder / "film.mov").touch()
    assert index("photos", "--dry-run", "--json") == 0
    out, err = capsys.readouterr()
    assert "3 photos found: 3 .png" in err and "1 other file left out by their names: 1 .mov" in err
    assert "3 photos to index: about 12 segments, 0 MB" in err
    assert "(3 photos were timed)" in err and err.endswith("nothing was written\n")
    found = json.loads(out)
    assert (found["dry_run"], found["new"], found["to_do"]) == (True, 3, 3)
    assert (found["forecast"]["timed"], found["forecast"]["segments"]) == (3, 12)
    assert found["other_files"] == {".mov": 1}
    assert not (tmp_path / ".usearch").exists()


def test_prune_of_a_folder_that_has_lost_all_needs_force(folder, tmp_path, capsys):
    index("photos")
    folder.rename(tmp_path / "unmounted")
    folder.mkdir()
    capsys.readouterr()
    assert index("photos", "--prune") == 3
    assert "Is the disk mounted?" in capsys.readouterr().err
    assert index("photos", "--prune", "--force") == 0
    assert "3 removed from the store" in capsys.readouterr().err


def test_a_bug_ends_with_70_and_never_with_1(folder, monkeypatch, capsys):
    monkeypatch.setattr(command, "_loader", lambda *_: load_mined)
    from PIL import Image

    Image.new("RGB", (9, 9), (0, 0, 255)).save(folder / "blue.png")
    assert index("photos") == 70
    assert "a bug in usearch" in capsys.readouterr().err


class Interrupting(GridSegmenter):
    """Sends a signal to its own process when it sees its second photo."""

    number = signal.SIGINT
    seen = 0

    def segment(self, image):
        self.seen += 1
        if self.seen == 2:
            signal.raise_signal(self.number)
        return super().segment(image)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_commits_what_is_done_and_has_its_own_code(
    folder, tmp_path, monkeypatch, capsys, number, code
):
    segmenter = Interrupting()
    segmenter.number = number
    monkeypatch.setattr(
        command, "_loader", lambda *_: lambda threads: (segmenter, ColourEmbedder())
    )
    assert index("photos", "--json") == code
    out, err = capsys.readouterr()
    assert (
        "1 photos are left; run the same command again to go on" in err and "Traceback" not in err
    )
    assert json.loads(out)["stopped"] is True
    assert open_snapshot(tmp_path / ".usearch").n_photos == 2
    assert index("photos") == 0
    assert open_snapshot(tmp_path / ".usearch").n_photos == 3


def test_a_store_that_is_being_written_is_refused_with_5(folder, tmp_path, capsys):
    index("photos")
    picture(folder / "new.png", 9)
    writer = open_writer(
        tmp_path / ".usearch",
        space=SPACE,
        preset="mini",
        segmenter="grid",
        segmenter_settings={"tiles": 2},
    )
    with writer:
        assert index("photos") == 5
    assert f"process {os.getpid()}" in capsys.readouterr().err


def test_a_bomb_is_skipped_with_the_option_that_would_take_it(folder, capsys):
    picture(folder / "big.png", 5, size=(400, 300))
    assert index("photos", "--max-pixels", "100000") == 0
    err = capsys.readouterr().err
    assert "big.png: too_large: 400 x 300 = 120,000 pixels" in err and "--max-pixels" in err


def test_workers_are_processes_of_their_own(folder, tmp_path):
    assert index("photos", "--workers", "2") == 0
    assert open_snapshot(tmp_path / ".usearch").n_photos == 3
