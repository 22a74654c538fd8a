"""A crash at any instant leaves the store as it was before a commit or after it."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from broken_disk import BrokenDisk, Died
from store_samples import content, photo, row, sample_store, writer

from usearch.errors import ResourceError, StoreError, UsearchError
from usearch.store import Writer, check_store, compact_store, files, ivf, open_snapshot

HERE = Path(__file__).parent


def new_photos(seed: int) -> list:
    rng = np.random.default_rng(seed)
    return [photo(rng, f"new {seed}/{n}.jpg", n) for n in (3, 0, 2)]


def add(w: Writer) -> None:
    w.add(new_photos(1))


def replace_photos(w: Writer) -> None:
    w.add(new_photos(2), replaces=[0, 3])


def rename(w: Writer) -> None:
    w.rename({1: row("moved"), 4: row("moved too")})


def remove(w: Writer) -> None:
    w.remove([0, 6])


def add_until_merged(w: Writer) -> None:
    for seed in range(5):
        w.add(new_photos(seed))


def index(w: Writer) -> None:
    w.snapshot = ivf.ensure_index(w.snapshot, pays_from=10)


def run(store: Path, act: Callable[[Writer], None] | None) -> None:
    """The action in a writer of its own; None compacts."""
    if act is None:
        compact_store(store)
        return
    with writer(store) as w:
        act(w)


def legal_states(
    base: Path, tmp_path: Path, act: Callable[[Writer], None] | None
) -> list[dict[str, object]]:
    """What the store holds before the action and after each of its commits."""
    store = Path(shutil.copytree(base, tmp_path / "clean"))
    states = [content(store)]
    seen = BrokenDisk(10**9, "full")
    with pytest.MonkeyPatch.context() as patch:
        real = seen.replace

        def watched(old: Path, new: Path) -> None:
            real(old, new)
            if new.name == "manifest.json":
                states.append(content(store))

        seen.replace = watched  # type: ignore[method-assign]
        patch.setattr(files, "os", seen)
        run(store, act)
    assert check_store(store) == []
    return states


HOW = ["full", "once", "killed", "power"]
ACTS = [add, replace_photos, rename, remove, add_until_merged, index, None]
EVERY = [pytest.param(act, how, 1, marks=pytest.mark.slow) for act in ACTS for how in HOW]
QUICK = [
    pytest.param(replace_photos, "power", 5, id="some calls, power"),
    pytest.param(None, "full", 7, id="some calls, compact, full"),
]


@pytest.mark.parametrize(("act", "how", "stride"), QUICK + EVERY)
def test_a_failure_at_each_call_leaves_a_version(
    tmp_path: Path,
    act: Callable[[Writer], None] | None,
    how: str,
    stride: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("usearch.store.compact._FAN", 4)
    base = tmp_path / "base"
    sample_store(base)
    states = legal_states(base, tmp_path, act)
    at = 0
    while True:
        store = Path(shutil.copytree(base, tmp_path / "s"))
        disk = BrokenDisk(at, how)
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", disk)
            try:
                run(store, act)
            except UsearchError as error:
                assert type(error) is (ResourceError if how == "full" else StoreError)
                assert error.hint
            except Died:
                pass
        if how == "power":
            disk.lose_power()
        assert content(store) in states
        assert open_snapshot(store).warnings == []
        writer(store).close()  # the next start removes what was left behind
        assert check_store(store) == []
        shutil.rmtree(store)
        if not disk.failed:
            break
        at += stride
    assert at > 10


@pytest.mark.parametrize(
    ("how", "stride"),
    [("once", 5)] + [pytest.param(how, 1, marks=pytest.mark.slow) for how in ("full", "once")],
)
def test_a_writer_goes_on_after_a_failed_batch(
    tmp_path: Path, how: str, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch can be given again to the same writer, and is then there once."""
    base = tmp_path / "base"
    sample_store(base, batches=1)
    for at in range(0, 100, stride):
        store = Path(shutil.copytree(base, tmp_path / "s"))
        with writer(store) as w:
            disk = BrokenDisk(at, how)
            with monkeypatch.context() as patch:
                patch.setattr(files, "os", disk)
                try:
                    w.add(new_photos(1))
                except UsearchError:
                    failed = True
                else:
                    failed = False
            assert w.snapshot.n_photos == (3 if failed else 6)
            if failed:
                w.add(new_photos(1))
            w.add([replace(p, photo=replace(p.photo, root="/b")) for p in new_photos(1)])
        assert open_snapshot(store).n_photos == 9
        assert check_store(store) == []
        shutil.rmtree(store)
        if not disk.failed:
            return
    pytest.fail("a batch takes more than 100 calls")


def test_a_full_disk_is_said_with_the_room_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writer(tmp_path / "s") as w:
        monkeypatch.setattr(files, "os", BrokenDisk(3, "full"))
        with pytest.raises(ResourceError, match=r"no space left.* MB free") as full:
            w.add(new_photos(1))
        assert "disk space" in full.value.hint
        monkeypatch.undo()


LOOP = """
import os, sys; sys.path.insert(0, {here!r}); os.fsync = lambda fd: None
from pathlib import Path
import numpy as np
from store_samples import photo, writer
from usearch.store import compact
compact._FAN = 4
rng = np.random.default_rng()
with writer(Path({store!r})) as w:
    known = {{p.path for p in w.snapshot.photo_records()}}
    print(len(known), flush=True)
    for i in range({batches}):
        new = [photo(rng, name, 3) for j in range(3) if (name := f"{{i}}/{{j}}") not in known]
        if new:
            w.add(new)
            print(i, flush=True)
    print("done", flush=True)
"""


def kill_until_done(store: Path, batches: int, rng: random.Random) -> int:
    """Start the loop, kill it at a random moment, until it gets to its end; returns kills."""
    code = LOOP.format(here=str(HERE), store=str(store), batches=batches)
    kills = 0
    while True:
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(rng.randrange(1, 20))]  # as many batches
        time.sleep(rng.uniform(0, 0.02))
        child.send_signal(signal.SIGKILL)
        if "done\n" in (*said, child.communicate()[0][-5:]):
            return kills
        kills += 1
        open_snapshot(store)  # a reader is never in the way of what was left


def check_all_there(store: Path, batches: int) -> None:
    writer(store).close()
    assert check_store(store) == []
    names = [p.path for p in open_snapshot(store).photo_records()]
    assert sorted(names) == sorted(f"{i}/{j}" for i in range(batches) for j in range(3))
    assert open_snapshot(store).n_segments == 9 * batches


def test_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    kill_until_done(tmp_path / "s", 30, random.Random(1))
    check_all_there(tmp_path / "s", 30)


@pytest.mark.slow
def test_fifty_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    kills = turn = 0
    while kills < 50:
        store = tmp_path / str(turn)
        kills += kill_until_done(store, 200, random.Random(turn))
        check_all_there(store, 200)
        turn += 1
