"""Bringing a store up to date: what is read, what is kept, what is said."""

import errno
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import SPACE, GridSegmenter, load_mined, load_toys

from indexer.pipeline import index_photos
from usearch.errors import InputError, ModelError, ResourceError, SpaceMismatch, StoreBusy
from usearch.records import EmbeddingSpace
from usearch.store import check_store, open_snapshot, open_writer


def picture(path, shade, size=(24, 16)):
    """A photo with content of its own for each shade (0..99)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), 60 + shade, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = (100 - shade, 100, 2 * shade)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six photos and two files that are none, one of them with the ending of one."""
    for number in range(6):
        picture(tmp_path / "photos" / f"{'sub/' if number > 3 else ''}{number}.png", number)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "photos" / "notes.txt").write_bytes(b"no photo either")
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def run(folder, store, load=load_toys, *, workers=0, preset="toy", **options):
    return index_photos([folder], store, load, preset=preset, workers=workers, **options)


def stored(store):
    """Relative path -> status of all photos in the store, after a check of everything."""
    assert check_store(store) == []
    records = open_snapshot(store).photo_records()
    by_path = {record.path: record.status for record in records}
    assert len(by_path) == len(records), "a photo is there twice"
    return by_path


ALL = {
    "0.png": "ok",
    "1.png": "ok",
    "2.png": "ok",
    "3.png": "ok",
    "broken.jpg": "not_an_image",
    "sub/4.png": "ok",
    "sub/5.png": "ok",
}


def fail_to_load(*, threads):
    raise AssertionError("no model may be loaded")


@pytest.mark.parametrize("workers", [0, 2])
def test_photos_are_cut_embedded_and_stored_with_those_that_fail(folder, store, workers):
    report = run(folder, store, workers=workers)
    assert (report.found, report.indexed, report.segments) == (7, 6, 24)
    assert [(Path(s.path).name, s.reason) for s in report.skipped] == [
        ("broken.jpg", "not_an_image")
    ]
    assert stored(store) == ALL
    snapshot = open_snapshot(store)
    assert (snapshot.n_photos, snapshot.n_segments, snapshot.preset) == (7, 24, "toy")
    assert snapshot.segmenter_settings == {"tiles": 2}
    assert all(seconds > 0 for seconds in report.stage_seconds.values())


def test_rows_say_what_the_file_is(folder, store):
    run(folder, store)
    row = next(r for r in open_snapshot(store).photo_records() if r.path == "sub/4.png")
    status = (folder / "sub" / "4.png").stat()
    assert (row.root, row.width, row.height) == (str(folder), 24, 16)
    assert (row.bytes, row.mtime_ns, row.n_segments) == (status.st_size, status.st_mtime_ns, 4)
    assert len(row.hash) == 32


@pytest.mark.slow
def test_ids_do_not_depend_on_the_number_of_workers(folder, tmp_path):
    ids = []
    for workers in (0, 1, 3):
        store = tmp_path / f"store-{workers}"
        run(folder, store, workers=workers)
        ids.append([(r.photo_id, r.path) for r in open_snapshot(store).photo_records()])
    assert ids[0] == ids[1] == ids[2]


def test_vectors_and_boxes_are_those_of_the_photo(folder, store):
    run(folder, store)
    snapshot = open_snapshot(store)
    row = next(r for r in snapshot.photo_records() if r.path == "3.png")
    rows = snapshot.rows_of_photo(row.photo_id)
    segments = snapshot.segments(rows)
    assert segments["x1"].to_pylist() == [12, 24, 12, 24]
    assert segments["y1"].to_pylist() == [8, 8, 16, 16]
    colour = np.array([97 / 255, 100 / 255, 6 / 255, 1])
    first = snapshot.vectors(rows)[0]
    assert np.allclose(first, colour / np.linalg.norm(colour), atol=2e-3)


def test_a_large_photo_is_cut_on_a_grid_of_at_most_1024(tmp_path, store):
    picture(tmp_path / "photos" / "big.png", 1, size=(2100, 1050))
    run(tmp_path / "photos", store)
    snapshot = open_snapshot(store)
    segments = snapshot.segments(snapshot.live_rows())
    assert (segments["mask_w"][0].as_py(), segments["mask_h"][0].as_py()) == (1024, 512)
    assert segments["x1"].to_pylist() == [1050, 2100, 1050, 2100]


# Again


def test_nothing_new_loads_no_model_and_changes_nothing(folder, store):
    run(folder, store)
    before = open_snapshot(store).version
    report = run(folder, store, fail_to_load)
    assert (report.unchanged, report.indexed, report.to_do) == (7, 0, 0)
    assert report.failed_before == {"not_an_image": 1}
    assert open_snapshot(store).version == before


def test_only_new_photos_are_read(folder, store):
    run(folder, store)
    picture(folder / "new.png", 50)
    report = run(folder, store)
    assert (report.to_do, report.indexed, report.unchanged) == (1, 1, 7)
    assert stored(store) == ALL | {"new.png": "ok"}


def test_a_changed_photo_takes_the_place_of_its_old_row(folder, store):
    run(folder, store)
    picture(folder / "2.png", 70, size=(30, 30))
    report = run(folder, store)
    assert (report.indexed, report.changed, report.unchanged) == (1, 1, 6)
    assert stored(store) == ALL
    snapshot = open_snapshot(store)
    assert snapshot.n_segments == 24
    assert next(r for r in snapshot.photo_records() if r.path == "2.png").width == 30


def test_a_photo_that_breaks_loses_its_segments_and_says_why(folder, store):
    run(folder, store)
    (folder / "2.png").write_bytes(b"")
    run(folder, store)
    assert stored(store) == ALL | {"2.png": "empty"}
    assert open_snapshot(store).n_segments == 20


def test_a_new_time_with_the_old_content_embeds_nothing(folder, store):
    run(folder, store)
    ids = {r.path: r.photo_id for r in open_snapshot(store).photo_records()}
    os.utime(folder / "1.png", ns=(1, 1))
    report = run(folder, store)
    assert (report.indexed, report.touched) == (0, 1)
    assert {r.path: r.photo_id for r in open_snapshot(store).photo_records()} == ids
    assert run(folder, store, fail_to_load).unchanged == 7


def test_content_changed_behind_size_and_time_is_found_by_verify(folder, store):
    run(folder, store)
    path = folder / "1.png"
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(folder, store, fail_to_load).unchanged == 7, "documented: not seen without --verify"
    report = run(folder, store, verify=True)
    assert (report.unchanged, len(report.skipped)) == (6, 1)
    assert stored(store)["1.png"] == "not_an_image"


def test_failed_photos_are_tried_again_only_when_they_change_or_when_asked(folder, store):
    run(folder, store)
    assert run(folder, store, fail_to_load).to_do == 0
    assert run(folder, store, retry=True).to_do == 1
    picture(folder / "fixed.png", 9)
    os.replace(folder / "fixed.png", folder / "broken.jpg")
    assert run(folder, store).indexed == 1
    assert stored(store) == ALL | {"broken.jpg": "ok"}


def test_a_photo_refused_for_its_size_is_tried_when_the_limit_is_raised(folder, store):
    picture(folder / "big.png", 3, size=(200, 100))
    run(folder, store, max_pixels=10_000)
    assert stored(store)["big.png"] == "too_large"
    assert run(folder, store, fail_to_load, max_pixels=10_000).to_do == 0
    assert run(folder, store).indexed == 1
    assert stored(store)["big.png"] == "ok"


def test_a_limit_leaves_the_rest_to_the_next_run(folder, store):
    report = run(folder, store, limit=2)
    assert (report.to_do, report.postponed, len(stored(store))) == (2, 5, 2)
    run(folder, store)
    assert stored(store) == ALL


def test_a_dry_run_counts_and_writes_nothing(folder, store):
    report = run(folder, store, fail_to_load, dry_run=True)
    assert (report.found, report.to_do, store.exists()) == (7, 7, False)


# Moved, gone


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


# Refusals


def test_a_folder_without_photos_says_what_it_holds_and_makes_no_store(tmp_path, store):
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").touch()
    with pytest.raises(InputError, match=r"no photos in .*1 \.txt"):
        run(tmp_path / "words", store, fail_to_load)
    assert not store.exists()


def test_another_writer_is_named_before_any_model_is_loaded(folder, store):
    run(folder, store)
    picture(folder / "new.png", 50)
    settings = {"space": SPACE, "preset": "toy", "segmenter": "grid"}
    with (
        open_writer(store, **settings, segmenter_settings={"tiles": 2}),
        pytest.raises(StoreBusy, match=str(os.getpid())),
    ):
        run(folder, store, fail_to_load)


def load_other_space(*, threads):
    segmenter, embedder = load_toys()
    embedder.space = EmbeddingSpace("other", 4, "another space")
    return segmenter, embedder


def test_a_store_of_another_space_is_refused_with_both_names(folder, store):
    run(folder, store)
    picture(folder / "new.png", 50)
    with pytest.raises(SpaceMismatch, match=r"toy colours.*another space"):
        run(folder, store, load_other_space)
    with pytest.raises(SpaceMismatch):
        run(folder, store, load_other_space, preset="another")
    assert stored(store) == ALL


def load_without_weights(*, threads):
    raise ModelError("weights.safetensors is missing", "put it into ./models")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_missing_weights_are_one_error_and_nothing_is_created(folder, store, workers):
    with pytest.raises(ModelError, match="weights") as caught:
        run(folder, store, load_without_weights, workers=workers)
    assert caught.value.hint == "put it into ./models"
    assert not store.exists()


def test_a_full_disk_is_said_and_the_store_keeps_what_was_committed(folder, store, monkeypatch):
    run(folder, store)
    for number in range(5):
        picture(folder / f"new-{number}.png", 30 + number)

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(ResourceError, match="no space left"):
            run(folder, store)
    assert stored(store) == ALL
    assert run(folder, store).indexed == 5


class ShortEmbedder:
    """Forgets the last segment."""

    space = SPACE

    def embed(self, image, segments):
        return np.ones((len(segments) - 1, 4), np.float32) / 2


def load_short(*, threads):
    return load_toys()[0], ShortEmbedder()


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_vectors_that_do_not_match_the_segments_are_a_bug_that_is_raised(folder, store, workers):
    with pytest.raises(RuntimeError, match=r"vectors of shape \(3, 4\) for 4 segments"):
        run(folder, store, load_short, workers=workers)


class HoleyEmbedder:
    """Gives every first segment no direction and every second one no number."""

    space = SPACE

    def embed(self, image, segments):
        vectors = np.full((len(segments), 4), 0.5, np.float32)
        vectors[0] = 0
        vectors[1] = np.nan
        return vectors


def load_holey(*, threads):
    return load_toys()[0], HoleyEmbedder()


def test_vectors_without_direction_are_rejected_and_counted(folder, store):
    report = run(folder, store, load_holey)
    assert report.rejected == 12
    assert open_snapshot(store).n_segments == 12


# Crashes of a worker


def red(path):
    Image.new("RGB", (24, 16), (255, 0, 0)).save(path)


def test_a_photo_that_kills_its_worker_twice_is_named_and_the_others_are_indexed(folder, store):
    red(folder / "2.png")
    report = run(folder, store, load_mined, workers=2)
    crashed = [s for s in report.skipped if s.reason == "crashed_decoder"]
    assert [Path(s.path).name for s in crashed] == ["2.png"]
    assert "killed" in crashed[0].detail
    assert stored(store) == ALL | {"2.png": "crashed_decoder"}
    assert run(folder, store, fail_to_load).to_do == 0, "not tried again until it changes"


@pytest.mark.slow
def test_a_photo_that_kills_its_worker_once_is_indexed_at_the_second_try(folder, store, tmp_path):
    red(folder / "2.png")
    load = partial(load_mined, once=str(tmp_path / "done"))
    report = run(folder, store, load, workers=2)
    assert (report.indexed, len(report.skipped)) == (6, 1)
    assert stored(store) == ALL


def test_a_bug_names_the_photo_and_keeps_what_was_finished(folder, store):
    Image.new("RGB", (24, 16), (0, 0, 255)).save(folder / "sub" / "4.png")
    with pytest.raises(RuntimeError, match="a blue photo") as caught:
        run(folder, store, load_mined, workers=1)
    assert "sub/4.png" in "".join(caught.value.__notes__)
    assert set(stored(store)) >= {"0.png", "1.png", "2.png", "3.png"}


def load_and_die(*, threads):
    os._exit(3)


def test_a_model_that_takes_its_process_down_is_an_error_and_no_loop(folder, store):
    with pytest.raises(RuntimeError, match=r"while it loaded the model \(exit code 3\)"):
        run(folder, store, load_and_die, workers=1)


def test_progress_runs_from_looking_to_finishing(folder, store):
    steps = []
    run(folder, store, progress=steps.append)
    stages = [step.stage for step in steps]
    assert stages[:2] == ["looking", "loading"] and stages[-1] == "finishing"
    assert (steps[-1].done, steps[-1].total, steps[-1].segments) == (7, 7, 24)
    assert (steps[-1].failed, sorted({step.done for step in steps})) == (1, list(range(8)))
