"""What a run refuses, and what it survives."""

import errno
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from photo_folders import ALL, fail_to_load, picture, run, stored
from PIL import Image
from toys import SPACE, load_mined, load_toys

from usearch.errors import InputError, ModelError, ResourceError, SpaceMismatch, StoreBusy
from usearch.records import EmbeddingSpace
from usearch.store import open_snapshot, open_writer


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
