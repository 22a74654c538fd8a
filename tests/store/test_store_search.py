"""Search is the definition: the k largest inner products among the rows that are allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import DIM, photo, row, unit, writer

from usearch.errors import ModelError, UsageError
from usearch.store import Snapshot, check_store, ivf, open_snapshot, rebuild_store, vectors
from usearch.store.commits import commit


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 photos in several parts, some removed: about 400 live rows."""
    path = tmp_path_factory.mktemp("search") / "s"
    rng = np.random.default_rng(3)
    with writer(path) as w:
        for b in range(30):
            w.add([photo(rng, f"{b}-{i}", int(rng.integers(0, 10))) for i in range(3)])
        w.remove([0, 5, 40, 41, 42, 89])
    return path


@pytest.fixture(scope="module")
def snapshot(store: Path) -> Snapshot:
    return open_snapshot(store)


@pytest.fixture(params=["numpy", "faiss", "faiss, two threads", "faiss that copies"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of scoring, on a store that is small for all but the first."""
    monkeypatch.setattr(vectors, "_PIECE", 64)
    if request.param == "numpy":
        return
    for name in ("SMALL", "FIRST"):
        monkeypatch.setattr(vectors, name, 0)
    monkeypatch.setattr("usearch.store.snapshot._FEW", 16)
    if "two" in request.param:
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
    if "copies" in request.param:
        monkeypatch.delattr("faiss.MaybeOwnedVectorUInt8")


def assert_exact(
    snapshot: Snapshot, queries: np.ndarray, k: int, allowed: np.ndarray | None
) -> None:
    live = snapshot.live_rows()
    rows = live if allowed is None else np.intersect1d(live, allowed)
    truth = queries @ snapshot.vectors(rows).T
    scores, found = snapshot.search(queries, k, allowed)
    assert scores.shape == found.shape == (len(queries), min(k, len(rows)))
    assert np.isin(found, rows).all()
    expected = -np.sort(-truth, axis=1)[:, :k]
    np.testing.assert_allclose(scores, expected, atol=2e-6)
    for line, (line_scores, line_rows) in enumerate(zip(scores, found, strict=True)):
        assert len(set(line_rows.tolist())) == len(line_rows)
        there = truth[line][np.searchsorted(rows, line_rows)]
        np.testing.assert_allclose(line_scores, there, atol=2e-6)


@pytest.mark.usefixtures("engine")
def test_search_is_exact_with_any_filter(snapshot: Snapshot) -> None:
    rng = np.random.default_rng(5)
    n = int(snapshot.offsets[-1])
    queries = unit(rng, 3)
    for k in (1, 7, n, 10**9):
        assert_exact(snapshot, queries, k, None)
    for share in (0.0, 0.01, 0.1, 0.5, 1.0):
        allowed = np.flatnonzero(rng.uniform(size=n) < share)
        for k in (1, 10, n):
            assert_exact(snapshot, queries, k, rng.permutation(allowed))


@given(st.data())
def test_search_is_exact_for_any_rows_and_k(snapshot: Snapshot, data: st.DataObject) -> None:
    n = int(snapshot.offsets[-1])
    allowed = data.draw(st.lists(st.integers(0, n - 1)), label="allowed, repeats and dead too")
    seed = data.draw(st.integers(0, 2**32), label="queries")
    k = data.draw(st.integers(1, 2 * n), label="k")
    assert_exact(snapshot, unit(np.random.default_rng(seed), 2), k, np.array(allowed, np.int64))


@pytest.mark.usefixtures("engine")
def test_equal_scores_come_in_the_order_of_rows(tmp_path: Path) -> None:
    from dataclasses import replace

    rng = np.random.default_rng(0)
    same = photo(rng, "0", 3)
    with writer(tmp_path / "s") as w:
        w.add([replace(same, photo=row(str(i))) for i in range(5)])
    opened = open_snapshot(tmp_path / "s")
    _, rows = opened.search(opened.vectors(np.array([1])), 5)
    assert rows.tolist() == [[1, 4, 7, 10, 13]]


@pytest.mark.parametrize(
    ("queries", "k"),
    [
        (np.full((1, DIM), np.nan), 5),
        (np.full((1, DIM), np.inf), 5),
        (np.zeros((1, DIM)), 5),
        (np.ones((1, DIM + 1)), 5),
        (np.ones((1, DIM)), 0),
        (np.ones((1, DIM)), -3),
    ],
)
def test_a_question_without_answer_is_refused(
    snapshot: Snapshot, queries: np.ndarray, k: int
) -> None:
    with pytest.raises(UsageError):
        snapshot.search(queries.astype(np.float32), k)


def test_rows_of_another_version_are_refused(snapshot: Snapshot) -> None:
    with pytest.raises(UsageError, match="outside"):
        snapshot.search(np.ones((1, DIM), np.float32), 1, np.array([10**6]))


@pytest.mark.usefixtures("engine")
def test_a_forked_process_searches_too(snapshot: Snapshot) -> None:
    queries = unit(np.random.default_rng(1), 2)
    expected = snapshot.search(queries, 5)[1]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, snapshot.search(queries, 5)[1].tobytes())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        assert answer.read() == expected.tobytes()
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a derived index over its first rows, rows behind it, and removed rows."""
    path = tmp_path / "indexed"
    rng = np.random.default_rng(4)
    with writer(path) as w:
        for b in range(20):
            w.add([photo(rng, f"{b}-{i}", 8) for i in range(4)])
        opened = ivf.ensure_index(w.snapshot, pays_from=500)
        w.snapshot = opened
        w.add([photo(rng, f"late {i}", 8) for i in range(6)])
        w.remove([1, 2, 30, 81])
    return path


def test_the_index_answers_with_rows_behind_it(indexed: Path) -> None:
    opened = open_snapshot(indexed)
    entry = opened.manifest.index
    assert entry is not None
    assert opened.index is not None
    assert entry.recall >= 0.98
    assert entry.rows == 640
    assert opened.offsets[-1] == 688
    rng = np.random.default_rng(8)
    queries = unit(rng, 50)
    scores, rows = opened.search(queries, 10)
    exact_scores, exact_rows = opened.search(queries, 10, exact=True)
    assert np.isin(rows, opened.live_rows()).all()
    overlap = [np.isin(e, r).mean() for e, r in zip(exact_rows, rows, strict=True)]
    assert np.mean(overlap) > 0.9
    same = rows == exact_rows
    np.testing.assert_allclose(scores[same], exact_scores[same], atol=2e-6)
    late = opened.vectors(np.arange(640, 648))
    assert opened.search(late, 1)[1].ravel().tolist() == list(range(640, 648))
    assert check_store(indexed) == []


def test_more_results_than_the_lists_hold_are_found_all_the_same(indexed: Path) -> None:
    opened = open_snapshot(indexed)
    for k in (300, 10_000):
        scores, rows = opened.search(np.ones((2, DIM), np.float32), k)
        assert scores.shape == (2, min(k, opened.n_segments))
        assert (rows >= 0).all()
        assert np.isfinite(scores).all()


def test_a_filter_is_exact_where_an_index_is(indexed: Path) -> None:
    opened = open_snapshot(indexed)
    rng = np.random.default_rng(2)
    assert_exact(opened, unit(rng, 3), 10, np.flatnonzero(rng.uniform(size=688) < 0.3))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["missing", "head flipped", "list flipped", "end flipped", "cut"])
def test_a_bad_index_is_never_read_and_never_missed(
    indexed: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (indexed / "index").iterdir()
    data = bytearray(file.read_bytes())
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(data[:-100])
    else:
        data[{"head": 40, "list": len(data) // 2, "end": -2}[how.split()[0]]] ^= 1
        file.write_bytes(data)
    with monkeypatch.context() as patch:
        # Lists are checked when they are first looked into; FAISS parses only what is before.
        reader = "IndexIVF.search" if how == "list flipped" else "read_index"
        patch.setattr(f"faiss.{reader}", lambda *a, **k: pytest.fail("FAISS read a bad file"))
        opened = open_snapshot(indexed)
        assert_exact(opened, unit(np.random.default_rng(1), 3), 10, None)
    assert "usearch rebuild" in str(opened.info()["warnings"])
    assert_exact(opened, unit(np.random.default_rng(1), 3), 10, None)
    (problem,) = check_store(indexed)
    assert str(file) in problem
    monkeypatch.setattr(ivf, "PAYS_FROM", 500)
    assert "index" in rebuild_store(indexed)[0]
    assert check_store(indexed) == []
    assert open_snapshot(indexed).index is not None


@pytest.mark.slow
def test_an_index_that_fell_behind_is_built_anew(indexed: Path) -> None:
    rng = np.random.default_rng(9)
    with writer(indexed) as w:
        assert ivf.ensure_index(w.snapshot, pays_from=500) is w.snapshot
        w.add([photo(rng, f"more {i}", 8) for i in range(20)])
        again = ivf.ensure_index(w.snapshot, pays_from=500)
        assert again.manifest.index is not None
        assert again.manifest.index.rows == 848
        small = ivf.ensure_index(again, pays_from=10**6)
        assert small.manifest.index is None
        commit(small, small.manifest)
    assert check_store(indexed) == []


def test_a_gpu_that_is_not_there_is_said_plainly(store: Path) -> None:
    import faiss

    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this FAISS has GPU support")
    with pytest.raises(ModelError, match="GPU"):
        open_snapshot(store, device="cuda")
    with pytest.raises(UsageError):
        open_snapshot(store, device="tpu")


@given(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False)))
def test_float16_is_widened_exactly(values: list[float]) -> None:
    half = np.array(values, np.float16)
    assert vectors.to_float(half).tobytes() == half.astype(np.float32).tobytes()


def test_a_query_process_imports_neither_faiss_nor_duckdb_nor_torch(store: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from usearch.store import open_snapshot\n"
        f"s = open_snapshot({str(store)!r})\n"
        f"_, rows = s.search(np.ones((1, {DIM}), np.float32), 5)\n"
        "s.segments(rows[0])\n"
        "heavy = {'faiss', 'duckdb', 'torch', 'pandas', 'pyarrow.compute'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
