"""One writer, any number of readers, and neither disturbs the other."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from store_samples import content, photo, row, sample_store, unit, writer

from usearch.errors import ExitCode, StoreBusy, StoreError
from usearch.store import check_store, compact_store, files, open_snapshot, rebuild_store

HERE = Path(__file__).parent


def run(code: str, **options: object) -> subprocess.Popen[str]:
    start = f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", start + code], stdout=subprocess.PIPE, text=True, **options
    )


def hold(store: Path) -> subprocess.Popen[str]:
    """A process that writes the store and stays."""
    child = run(
        "from pathlib import Path; import time\n"
        "from store_samples import writer\n"
        f"w = writer(Path({str(store)!r}))\n"
        "print('holding', flush=True); time.sleep(600)"
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"
    return child


def test_a_second_writer_is_told_who_holds_the_store(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    before = content(store)
    child = hold(store)
    try:
        for refused in (lambda: writer(store), lambda: compact_store(store)):
            with pytest.raises(StoreBusy) as busy:
                refused()
            assert f"process {child.pid} on " in busy.value.message
            assert "since 20" in busy.value.message
            assert busy.value.exit_code == ExitCode.BUSY
        with pytest.raises(StoreBusy):
            rebuild_store(store)
        assert content(store) == before  # readers do not wait
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    writer(store).close()  # a lock dies with its process; no file has to be removed


def test_one_process_cannot_write_twice_either(tmp_path: Path) -> None:
    with writer(tmp_path / "s"), pytest.raises(StoreBusy, match=f"process {os.getpid()} "):
        writer(tmp_path / "s")
    with writer(tmp_path / "s"):
        pass


def test_an_exception_lets_the_next_writer_in(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "s"):
        raise KeyboardInterrupt
    writer(tmp_path / "s").close()


def test_a_reader_keeps_its_version_whatever_the_writer_does(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    held = open_snapshot(store)  # nothing of it has been read yet
    opened = open_snapshot(store)
    before = content(store)
    rng = np.random.default_rng(1)
    with writer(store) as w:
        for i in range(20):
            w.add([photo(rng, f"new {i}", 3)])
        w.remove([0, 1, 2])
        w.rename({3: row("elsewhere")})
    compact_store(store)
    assert len(os.listdir(store / "parts")) == 1
    for snapshot in (held, opened):
        rows = snapshot.live_rows()
        assert snapshot.segments(rows).to_pylist() == before["segments"]
        assert snapshot.photos().to_pylist() == before["photos"]
        assert snapshot.vectors(rows).tobytes() == before["vectors"]
        _, found = snapshot.search(unit(rng, 1), 50)
        assert sorted(found[0]) == rows.tolist()
        counted = snapshot.connect().execute("SELECT count(*) FROM segments").fetchone()
        assert counted == (len(rows),)
    assert open_snapshot(store).n_photos == 26


def test_readers_see_whole_commits_while_a_writer_works(tmp_path: Path) -> None:
    """Each batch has two photos of three segments: any other count is a mix of versions."""
    store = tmp_path / "s"
    writer(store).close()
    child = run(
        "from pathlib import Path; import os; import numpy as np\n"
        "os.fsync = lambda fd: None\n"
        "from store_samples import photo, writer\n"
        "from usearch.store import compact_store\n"
        "rng = np.random.default_rng(0)\n"
        "for turn in range(2):\n"
        f"    with writer(Path({str(store)!r})) as w:\n"
        "        for i in range(15):\n"
        "            old = w.snapshot.photos()['photo_id'].to_pylist()[:2] if i % 3 == 2 else []\n"
        "            w.add([photo(rng, f'{turn} {i} {j}', 3) for j in range(2)], replaces=old)\n"
        f"    compact_store(Path({str(store)!r}))\n"
    )
    versions = set()
    while child.poll() is None:
        snapshot = open_snapshot(store)
        rows = snapshot.live_rows()
        table = snapshot.segments(rows)
        assert snapshot.n_photos % 2 == 0
        assert len(table) == 3 * snapshot.n_photos == snapshot.n_segments
        assert len(snapshot.photos()) == snapshot.n_photos
        assert sorted(snapshot.search(np.ones((1, 8), np.float32), 10**6)[1][0]) == rows.tolist()
        versions.add(snapshot.version)
    child.communicate()
    assert child.returncode == 0
    assert len(versions) > 1
    assert check_store(store) == []


def test_a_read_only_store_is_read_and_never_opened_for_writing(tmp_path: Path) -> None:
    store = tmp_path / "s"
    sample_store(store)
    # Root may write anywhere, so the proof is that no file is even asked for.
    child = run(
        "import os, sys\n"
        "def watch(event, args):\n"
        "    flags = args[2] if event == 'open' else 0\n"
        "    wrote = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)\n"
        "    if wrote or event in ('os.mkdir', 'os.rename', 'os.remove'):\n"
        "        print('WROTE', event, args)\n"
        "from pathlib import Path; import numpy as np\n"
        "from usearch.store import open_snapshot, check_store, sql\n"
        "sys.addaudithook(watch)\n"
        f"s = open_snapshot(Path({str(store)!r}))\n"
        "s.segments(s.search(np.ones((1, 8), np.float32), 5)[1][0])\n"
        "s.info(); s.connect(); print(check_store(s.path))\n",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert child.communicate()[0] == "[]\n"
    assert child.returncode == 0


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_writing_a_read_only_store_is_refused_first_thing(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s"
    sample_store(store)
    real = os.open

    def refuse(path: object, flags: int, *rest: int, **more: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(StoreError, match="cannot write") as refused:
        writer(store)
    assert "--store" in refused.value.hint
    assert refused.value.exit_code == ExitCode.STORE
