"""A store does what a dict does: random operations against a model."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_samples import SPACE, photo, row, writer

from usearch.errors import StoreBusy
from usearch.store import IndexedPhoto, Snapshot, check_store, compact_store, ivf, open_snapshot

NAMES = [f"{folder}/{name}" for folder in "ab" for name in ("x", "\udcff", "z w", "é")]


class StoreMachine(RuleBasedStateMachine):
    """`model` maps photo id to (path, what went in), in the order of ids."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "s"
        self.rng = np.random.default_rng(0)
        self.model: dict[int, tuple[str, IndexedPhoto]] = {}
        self.readers: list[tuple[Snapshot, list[tuple[int, str]]]] = []
        self.writer = writer(self.path)
        self.given = 0

    def teardown(self) -> None:
        self.writer.close()
        assert check_store(self.path) == []
        shutil.rmtree(self.folder)

    def taken(self) -> set[str]:
        return {name for name, _ in self.model.values()}

    @rule(names=st.sets(st.sampled_from(NAMES), max_size=4), n=st.integers(0, 4))
    def add(self, names: set[str], n: int) -> None:
        new = [photo(self.rng, name, n) for name in sorted(names - self.taken())]
        ids = self.writer.add(new)
        assert ids == list(range(self.given, self.given + len(new)))
        self.given += len(new)
        self.model.update({i: (p.photo.path, p) for i, p in zip(ids, new, strict=True)})

    @precondition(lambda self: self.model)
    @rule(data=st.data(), n=st.integers(0, 4))
    def replace(self, data: st.DataObject, n: int) -> None:
        old = data.draw(st.sampled_from(sorted(self.model)))
        name, _ = self.model.pop(old)
        new = photo(self.rng, name, n)
        (photo_id,) = self.writer.add([new], replaces=[old])
        self.given += 1
        self.model[photo_id] = (name, new)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.model)), min_size=1, max_size=3))
        self.writer.remove(sorted(gone))
        for photo_id in gone:
            del self.model[photo_id]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, name: str) -> None:
        moved = data.draw(st.sampled_from(sorted(self.model)))
        old, what = self.model[moved]
        if name in self.taken() - {old}:
            with pytest.raises(ValueError, match="same path"):
                self.writer.rename({moved: row(name)})
            return
        self.writer.rename({moved: row(name)})
        self.model[moved] = (name, what)

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.writer = writer(self.path)

    @rule()
    def second_writer(self) -> None:
        with pytest.raises(StoreBusy):
            writer(self.path)

    @rule()
    def compact(self) -> None:
        self.writer.close()
        compact_store(self.path)
        self.writer = writer(self.path)

    @rule()
    def build_index(self) -> None:
        self.writer.snapshot = ivf.ensure_index(self.writer.snapshot, pays_from=20)

    @rule()
    def hold_a_reader(self) -> None:
        names = [(i, self.model[i][0]) for i in sorted(self.model)]
        self.readers.append((open_snapshot(self.path), names))

    @rule()
    def finish(self) -> None:
        self.writer.finish()

    @invariant()
    def the_store_is_the_model(self) -> None:
        for snapshot in (self.writer.snapshot, open_snapshot(self.path)):
            assert [(p.photo_id, p.path) for p in snapshot.photo_records()] == [
                (i, self.model[i][0]) for i in sorted(self.model)
            ]
            for photo_id, (_, what) in self.model.items():
                rows = snapshot.rows_of_photo(photo_id)
                rles = [] if what.segments is None else what.segments.rles
                assert snapshot.segments(rows)["rle"].to_pylist() == rles
                if what.vectors is not None:
                    assert abs(snapshot.vectors(rows) - what.vectors).max() < 1e-3

    @invariant()
    def every_segment_is_found(self) -> None:
        snapshot = self.writer.snapshot
        live = snapshot.live_rows()
        assert len(live) == snapshot.n_segments
        scores, rows = snapshot.search(np.ones((1, SPACE.dim), np.float32), 1000)
        assert sorted(rows[0].tolist()) == live.tolist()
        assert (np.diff(scores[0]) <= 0).all()

    @invariant()
    def readers_keep_what_they_opened(self) -> None:
        for snapshot, names in self.readers[-2:]:
            assert [(p.photo_id, p.path) for p in snapshot.photo_records()] == names
            rows = snapshot.live_rows()
            assert len(snapshot.segments(rows)) == len(snapshot.vectors(rows))


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=max(5, settings.default.max_examples // 8), stateful_step_count=15, deadline=None
)
