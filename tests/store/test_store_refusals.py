"""What a store refuses so that nothing is lost, and what it forgives."""

from pathlib import Path

import numpy as np
import pytest
from store_samples import DIM, SPACE, photo, sample_store, writer

from usearch.errors import StoreError
from usearch.store import manifest, open_snapshot, open_writer


def test_parts_without_a_manifest_are_never_taken_for_a_new_store(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    before = sorted(p.name for p in (store / "parts").iterdir())
    for name in (manifest.NAME, manifest.PREVIOUS):
        (store / name).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="holds parts of a store but no"):
        writer(store)
    assert sorted(p.name for p in (store / "parts").iterdir()) == before


def test_a_closed_writer_commits_nothing(tmp_path: Path) -> None:
    w = writer(tmp_path / "s")
    w.close()
    version = open_snapshot(tmp_path / "s").version
    with pytest.raises(ValueError, match="closed"):
        w.add([photo(np.random.default_rng(0), "late")])
    assert open_snapshot(tmp_path / "s").version == version


def test_a_manifest_of_endless_nesting_is_damage_like_any_other(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    (store / manifest.NAME).write_text("[" * 200_000)
    assert open_snapshot(store).manifest.warnings


def test_settings_are_compared_as_they_are_read_back(tmp_path: Path) -> None:
    for _ in range(2):
        with open_writer(
            tmp_path / "s",
            space=SPACE,
            preset="toy",
            segmenter="boxes",
            segmenter_settings={"sizes": (1, 2)},
        ):
            pass


def test_no_cosine_lies_beyond_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    with writer(tmp_path / "s") as w:
        w.add([photo(rng, f"{i}", 6) for i in range(40)])
    snapshot = open_snapshot(tmp_path / "s")
    vectors = snapshot.vectors(snapshot.live_rows())
    assert vectors.shape[1] == DIM
    cosines, _ = snapshot.search(vectors, 3)
    assert cosines.max() <= 1.0
    allowed, _ = snapshot.search(vectors, 3, allowed=snapshot.live_rows()[:20])
    assert allowed.max() <= 1.0
