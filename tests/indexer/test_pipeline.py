"""Bringing a store up to date: what is read, what is kept, what is said."""

import os
from pathlib import Path

import numpy as np
import pytest
from photo_folders import ALL, fail_to_load, picture, run, stored

from usearch.store import open_snapshot


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


def test_progress_runs_from_looking_to_finishing(folder, store):
    steps = []
    run(folder, store, progress=steps.append)
    stages = [step.stage for step in steps]
    assert stages[:2] == ["looking", "loading"] and stages[-1] == "finishing"
    assert (steps[-1].done, steps[-1].total, steps[-1].segments) == (7, 7, 24)
    assert (steps[-1].failed, sorted({step.done for step in steps})) == (1, list(range(8)))
