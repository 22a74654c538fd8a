"""Photos that were moved, are gone, or are reached by several names."""

import os
import shutil
from functools import partial

import pytest
from photo_folders import ALL, fail_to_load, picture, run, stored
from toys import GridSegmenter, load_toys

from usearch.errors import InputError
from usearch.store import open_snapshot


def test_a_moved_photo_keeps_its_id_and_embeds_nothing(folder, store):
    run(folder, store)
    before = {r.hash: r.photo_id for r in open_snapshot(store).photo_records()}
    (folder / "trip").mkdir()
    for name in ("0.png", "1.png"):
        (folder / name).rename(folder / "trip" / name)
    report = run(folder, store, fail_to_load)
    assert (report.moved, report.indexed, report.gone) == (2, 0, 0)
    moved = {name: "ok" for name in ALL if name not in ("0.png", "1.png", "broken.jpg")}
    moved |= {"trip/0.png": "ok", "trip/1.png": "ok", "broken.jpg": "not_an_image"}
    assert stored(store) == moved
    assert {r.hash: r.photo_id for r in open_snapshot(store).photo_records()} == before


def test_a_moved_folder_of_photos_and_new_ones_at_once(folder, store, tmp_path):
    run(folder, store)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(folder, elsewhere)
    picture(elsewhere / "new.png", 40)
    report = run(elsewhere, store)
    assert (report.moved, report.indexed) == (6, 1)
    roots = {r.path: r.root for r in open_snapshot(store).photo_records() if r.status == "ok"}
    assert set(roots.values()) == {str(elsewhere)}
    assert len(roots) == 7


def test_a_copy_is_a_photo_of_its_own(folder, store):
    run(folder, store)
    shutil.copy2(folder / "0.png", folder / "copy.png")
    report = run(folder, store)
    assert (report.moved, report.indexed) == (0, 1)
    assert stored(store) == ALL | {"copy.png": "ok"}


def test_photos_that_are_gone_stay_until_they_are_pruned(folder, store):
    run(folder, store)
    (folder / "0.png").unlink()
    report = run(folder, store, fail_to_load)
    assert (report.gone, report.removed) == (1, 0)
    assert stored(store) == ALL
    report = run(folder, store, fail_to_load, prune=True)
    assert (report.gone, report.removed) == (0, 1)
    assert stored(store) == {name: status for name, status in ALL.items() if name != "0.png"}


def test_prune_leaves_photos_of_other_folders_and_files_that_patterns_pass_over(folder, store):
    run(folder, store)
    (folder / "0.png").unlink()
    run(folder / "sub", store, prune=True)
    run(folder, store, prune=True, include=["*.jpg"])
    left = {name: status for name, status in ALL.items() if name != "0.png"}
    assert stored(store) == left


def test_a_root_that_is_missing_or_empty_never_means_delete(folder, store, tmp_path):
    run(folder, store)
    folder.rename(tmp_path / "unmounted")
    with pytest.raises(InputError, match="no such file"):
        run(folder, store, prune=True)
    folder.mkdir()
    with pytest.raises(InputError, match="nothing was removed") as caught:
        run(folder, store, prune=True)
    assert "--force" in caught.value.hint
    assert stored(store) == ALL
    assert run(folder, store, fail_to_load).gone == 7
    run(folder, store, prune=True, force=True)
    assert stored(store) == {}


def test_a_folder_indexed_from_above_later_stays_the_same_photos(folder, store):
    run(folder / "sub", store)
    report = run(folder, store)
    assert (report.unchanged, report.indexed) == (2, 4)
    assert len(stored(store)) == 7
    picture(folder / "sub" / "5.png", 80)
    assert run(folder, store).changed == 1
    assert len(stored(store)) == 7


def test_a_link_to_an_indexed_folder_leads_to_the_same_photos(folder, store, tmp_path):
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    run(tmp_path / "link" / "sub", store)
    assert run(folder, store).unchanged == 2
    assert run(tmp_path / "link", store, fail_to_load, prune=True).unchanged == 7
    assert len(stored(store)) == 7


def test_a_link_to_an_indexed_photo_leads_to_the_same_photo(folder, store, tmp_path):
    run(folder, store)
    (tmp_path / "link").symlink_to(folder / "0.png")
    assert run(tmp_path / "link", store, fail_to_load, prune=True).unchanged == 1
    assert stored(store) == ALL


def test_photos_moved_away_with_a_link_left_in_their_place_stay_the_same(folder, store, tmp_path):
    run(folder, store)
    folder.rename(tmp_path / "large-disk")
    folder.symlink_to(tmp_path / "large-disk", target_is_directory=True)
    assert run(folder, store, fail_to_load, prune=True).unchanged == 7
    assert stored(store) == ALL


def test_of_two_folders_that_became_one_prune_keeps_each_photo_once(folder, store, tmp_path):
    run(folder, store)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    run(copy, store)
    shutil.rmtree(copy)
    copy.symlink_to(folder, target_is_directory=True)
    assert run(folder, store, fail_to_load).gone == 7
    assert run(folder, store, fail_to_load, prune=True).removed == 7
    assert stored(store) == ALL


def test_a_photo_whose_path_is_a_folder_now_is_gone(folder, store):
    run(folder, store)
    (folder / "0.png").unlink()
    (folder / "0.png").mkdir()
    assert run(folder, store, fail_to_load, prune=True).removed == 1
    assert "0.png" not in stored(store)


def test_odd_names_are_recognised_on_the_next_run(tmp_path, store):
    folder = tmp_path / "photos"
    names = [b"new\nline.png", b"tab\t.png", b"\xff\xfe.png", "é.png".encode(), b"-dash.png"]
    for number, name in enumerate([*names, "\uf7ff.png".encode(), b"'; drop table photos; --.png"]):
        picture(folder / "plain.png", number)
        os.rename(folder / "plain.png", os.path.join(os.fsencode(folder), name))
    assert run(folder, store).indexed == 7
    assert run(folder, store, fail_to_load).unchanged == 7
    assert {os.fsencode(r.path) for r in open_snapshot(store).photo_records()} >= set(names)


def test_pipes_become_rows_without_being_opened(folder, store):
    os.mkfifo(folder / "pipe.jpg")
    run(folder, store)
    assert stored(store)["pipe.jpg"] == "not_a_file"
    assert run(folder, store, fail_to_load).unchanged == 8


def test_a_photo_that_vanishes_before_it_is_read_leaves_no_row(folder, store, monkeypatch):
    from indexer import pipeline

    original = pipeline.make_plan

    def plan_then_delete(*arguments, **options):
        plan = original(*arguments, **options)
        (folder / "3.png").unlink(missing_ok=True)
        return plan

    monkeypatch.setattr(pipeline, "make_plan", plan_then_delete)
    report = run(folder, store)
    assert {s.reason for s in report.skipped} == {"not_an_image", "vanished"}
    assert "3.png" not in stored(store)


class Unmounting(GridSegmenter):
    """Takes the whole folder away when it sees its second photo."""

    folder = ""
    seen = 0

    def segment(self, image):
        self.seen += 1
        if self.seen == 2:
            os.rename(self.folder, self.folder + "-unmounted")
        return super().segment(image)


def load_unmounting(folder, *, threads):
    segmenter = Unmounting()
    segmenter.folder = str(folder)
    return segmenter, load_toys()[1]


def test_a_root_that_goes_away_during_the_run_ends_it_and_keeps_what_is_done(folder, store):
    with pytest.raises(InputError, match="went away while its photos were read"):
        run(folder, store, partial(load_unmounting, folder), prune=True)
    assert stored(store) == {"0.png": "ok", "1.png": "ok"}
    os.rename(f"{folder}-unmounted", folder)
    run(folder, store)
    assert stored(store) == ALL
