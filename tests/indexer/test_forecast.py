"""A dry run: what there is to do and what it would make, with nothing written."""

from __future__ import annotations

import os

import pytest
from photo_folders import picture, run
from PIL import Image
from toys import load_toys


def files_below(folder):
    return sorted(
        (str(path), path.stat().st_mtime_ns) for path in folder.parent.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_it_says_what_a_run_would_make_and_writes_nothing(folder, store, workers):
    before = files_below(folder)
    told = run(folder, store, dry_run=True, timed=3, workers=workers).forecast
    assert files_below(folder) == before
    assert (told.of, told.looked_at, told.timed, told.failed) == (7, 7, 3, 0)
    assert [(photo.reason, photo.path) for photo in told.unusable] == [
        ("not_an_image", str(folder / "broken.jpg"))
    ]
    assert told.segments == run(folder, store).segments == 24
    assert told.bytes > 24 * 4 * 2
    assert told.seconds > 0 and told.workers == max(workers, 1)


def test_new_changed_and_known_photos_are_told_apart(folder, store):
    run(folder, store)
    picture(folder / "0.png", 50)
    picture(folder / "new.JPG", 51)
    (folder / "1.png").unlink()
    report = run(folder, store, dry_run=True, timed=3)
    assert (report.new, report.to_do, report.gone) == (1, 2, 1)
    assert (report.unchanged, dict(report.failed_before)) == (5, {"not_an_image": 1})
    assert report.endings == {".png": 5, ".jpg": 2}
    assert report.forecast.of == 2


def test_nothing_to_do_loads_no_model(folder, store):
    run(folder, store)
    told = run(folder, store, lambda threads: pytest.fail("loaded"), dry_run=True, timed=3).forecast
    assert (told.of, told.timed, told.segments, told.seconds) == (0, 0, 0, 0.0)


def test_what_headers_say_is_found_without_decoding(folder, store):
    picture(folder / "big.png", 5, size=(400, 300))
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.png")
    told = run(folder, store, dry_run=True, timed=2, max_pixels=100_000).forecast
    assert {p.path.rsplit("/", 1)[1]: p.reason for p in told.unusable} == {
        "big.png": "too_large",
        "broken.jpg": "not_an_image",
        "empty.png": "empty",
        "pipe.png": "not_a_file",
    }
    assert told.segments == 24


def test_a_photo_that_breaks_behind_its_header_is_counted_among_the_timed(tmp_path, store):
    Image.effect_noise((300, 300), 50).convert("RGB").save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    told = run(tmp_path, store, dry_run=True, timed=2).forecast
    assert (told.unusable, told.timed, told.failed, told.segments) == ([], 1, 1, 0)


def test_without_timed_photos_no_forecast_is_made(folder, store):
    assert run(folder, store, load_toys, dry_run=True).forecast is None
