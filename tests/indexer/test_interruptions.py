"""A run that ends early, at any instant and by any means, costs at most the current batch.

The runs here are programs of their own, which index with the toys of `toys.py` and are
killed or interrupted while they work.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from photo_folders import picture, stored
from toys import load_toys

from indexer.pipeline import index_photos
from usearch.store import open_snapshot

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from toys import load_mined
import time
import indexer.batch
import indexer.pipeline
def load(**settings):
    print("worker loads", flush=True)
    time.sleep({loading})
    return load_mined(pause={pause}, **settings)
if __name__ == "__main__":
    indexer.batch._COMMIT_SECONDS = (0.05, 0.05)
    print("started", flush=True)
    report = indexer.pipeline.index_photos(
        [Path({folder!r})], Path({store!r}), load,
        preset="toy", workers={workers},
        progress=lambda p: print(p.stage, p.done, flush=True),
    )
    print("stopped by", report.stopped_by, flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        picture(tmp_path / "photos" / f"{number:02d}.png", number)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "photos"


@pytest.fixture
def start(tmp_path, folder):
    """Starts a run in a process of its own and returns it."""
    runs = []

    def start(workers=2, pause=0.02, loading=0.0):
        program = tmp_path / "run.py"
        program.write_text(
            PROGRAM.format(
                tests=os.path.dirname(os.path.dirname(__file__)),
                folder=str(folder),
                store=str(tmp_path / "store"),
                pause=pause,
                loading=loading,
                workers=workers,
            )
        )
        run = subprocess.Popen(
            [sys.executable, str(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()


def read_until(run, words):
    """Lines of a run up to the first that begins so."""
    for line in run.stdout:
        if line.startswith(words):
            return
    raise AssertionError(f"the run ended before {words!r}")


def group_is_empty(group, within=15.0):
    """Whether all processes of a group end soon."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def is_complete(store):
    photos = stored(store)
    assert len(photos) == 31
    assert sum(status == "ok" for status in photos.values()) == 30
    snapshot = open_snapshot(store)
    ids = snapshot.segments(snapshot.live_rows())["segment_id"].to_pylist()
    assert len(ids) == len(set(ids)) == 30 * 4


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_first_signal_commits_what_is_done_and_ends_the_run(start, tmp_path, folder, how):
    run = start()
    read_until(run, "indexing 6")
    run.send_signal(how)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert f"stopped by {int(how)}" in said and "Traceback" not in said
    assert group_is_empty(run.pid)
    kept = stored(tmp_path / "store")
    assert 6 <= len(kept) < 31
    report = index_photos([folder], tmp_path / "store", load_toys, preset="toy", workers=0)
    assert report.unchanged == len(kept)
    is_complete(tmp_path / "store")


def test_a_signal_that_is_sent_twice_at_once_is_one_request(start, tmp_path, folder):
    run = start()
    read_until(run, "indexing 6")
    run.send_signal(signal.SIGTERM)  # `timeout` sends it to the process, then to its group
    os.killpg(run.pid, signal.SIGTERM)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0 and "stopping" in said and "stopped by 15" in said
    assert len(stored(tmp_path / "store")) >= 6


def test_an_interrupt_from_the_terminal_reaches_no_worker(start, tmp_path):
    run = start()
    read_until(run, "indexing 6")
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    said, _ = run.communicate(timeout=60)
    assert "stopped by 2" in said and "Traceback" not in said
    assert stored(tmp_path / "store")


def test_a_signal_to_the_whole_group_while_workers_load_is_a_stop_and_no_failure(start):
    run = start(workers=1, loading=60.0)
    read_until(run, "worker loads")
    os.killpg(run.pid, signal.SIGTERM)  # as `timeout`, systemd and docker do
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0 and "stopped by 15" in said and "Traceback" not in said
    assert group_is_empty(run.pid)


@pytest.mark.slow
def test_a_second_interrupt_ends_at_once_and_the_store_is_whole(start, tmp_path):
    run = start(pause=5.0)
    read_until(run, "indexing 0")
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode in (0, -signal.SIGINT)  # 0: the first one was quicker
    assert group_is_empty(run.pid)
    assert stored(tmp_path / "store") == {}


def test_workers_leave_with_a_parent_that_is_killed(start):
    run = start(pause=0.5)
    read_until(run, "indexing 1")
    run.kill()
    run.wait()
    assert group_is_empty(run.pid)


@pytest.mark.slow
def test_killed_at_any_instant_a_run_resumes_to_every_photo_exactly_once(start, tmp_path, folder):
    chance = random.Random(5)
    store = tmp_path / "store"
    for _ in range(6):
        run = start()
        read_until(run, "started")
        time.sleep(chance.uniform(0.0, 3.0))
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        if (store / "manifest.json").exists():
            snapshot = open_snapshot(store)
            assert snapshot.segments(snapshot.live_rows()).num_rows == snapshot.n_segments
    index_photos([folder], store, load_toys, preset="toy", workers=0)
    is_complete(store)
