"""Whatever happens to the files: it is noticed, named, and there is a way on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from store_samples import DIM, content, photo, row, sample_store, writer

from usearch.errors import ExitCode, StoreError, StoreNotFound
from usearch.store import check_store, manifest, open_snapshot, rebuild_store
from usearch.store.manifest import to_bytes

PART_FILES = ("photos.parquet", "segments.parquet", "vectors.f16", "moves.parquet")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "s"
    sample_store(path)
    with writer(path) as w:
        w.rename({6: row("moved")})
        w.remove([0])
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "s"))


def use_everything(store: Path) -> None:
    """Touch all that a reader can touch."""
    snapshot = open_snapshot(store)
    rows = snapshot.live_rows()
    snapshot.search(np.ones((1, DIM), np.float32), 3)
    snapshot.segments(rows)
    snapshot.vectors(rows)
    snapshot.photo_records()
    snapshot.connect()


def damage(file: Path, how: str) -> None:
    data = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
        return
    if how == "cut":
        del data[-1:]
    elif how == "emptied":
        data.clear()
    elif how == "longer":
        data += b"\0"
    elif how == "zeroed":
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    else:
        data[int(how) % len(data)] ^= 0x10
    file.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", PART_FILES)
@pytest.mark.parametrize(
    "how",
    ["gone", "cut", "zeroed", "1001"]
    + [pytest.param(h, marks=pytest.mark.slow) for h in ("emptied", "longer", "0", "-1", "5003")],
)
def test_damage_to_a_part_is_noticed_named_and_repaired(store: Path, name: str, how: str) -> None:
    file = sorted(store.glob(f"parts/*/{name}"))[0]
    damage(file, how)
    with pytest.raises(StoreError) as noticed:
        use_everything(store)
    assert str(file) in noticed.value.message
    assert f"usearch rebuild --store {store}" in noticed.value.hint
    problems = check_store(store)
    assert any(str(file) in problem for problem in problems)
    done = rebuild_store(store)
    assert str(file) in done[0]
    use_everything(store)
    # The damaged part is no longer part of the store; the writer collects it later.
    assert all("belongs to no version" in p or str(file) in p for p in check_store(store))
    rng = np.random.default_rng(1)
    with writer(store) as w:
        names = {p.path for p in w.snapshot.photo_records()}
        for again in ("0/2.jpg", "1/2.jpg", "late"):
            if again not in names:
                w.add([photo(rng, again, 2)])
        w.add([photo(rng, "later", 1)])
    assert check_store(store) == []


@pytest.mark.parametrize("how", ["gone", "cut", "emptied", "zeroed", "0", "-1", "30", "333"])
def test_a_damaged_manifest_costs_one_commit(store: Path, how: str) -> None:
    """The last commit removed photo 0: the manifest before it still has it."""
    damage(store / "manifest.json", how)
    snapshot = open_snapshot(store)
    assert snapshot.n_photos == 9
    (said,) = snapshot.warnings
    assert str(store / "manifest.json") in said
    assert "usearch rebuild" in said
    assert said in check_store(store)
    with pytest.raises(StoreError, match=r"manifest\.json") as refused:
        writer(store)
    assert "usearch rebuild" in refused.value.hint
    assert "went back to version" in rebuild_store(store)[0]
    assert check_store(store) == []
    assert open_snapshot(store).warnings == []
    with writer(store) as w:
        w.remove([0])


def test_two_damaged_manifests_are_an_error_that_names_them(store: Path) -> None:
    for name in ("manifest.json", "manifest.previous.json"):
        damage(store / name, "cut")
    for act in (open_snapshot, rebuild_store, writer):
        with pytest.raises(StoreError, match=r"manifest\.json is damaged") as refused:
            act(store)
        assert refused.value.exit_code == ExitCode.STORE
    assert "manifest.json is damaged" in check_store(store)[0]


@pytest.mark.parametrize("how", ["cut", "0", "gone"])
def test_a_damaged_copy_of_the_manifest_stops_nobody(store: Path, how: str) -> None:
    damage(store / "manifest.previous.json", how)
    assert open_snapshot(store).warnings == []
    assert len(check_store(store)) == (how != "gone")
    with writer(store) as w:
        w.add([photo(np.random.default_rng(0), "n", 1)])
    assert check_store(store) == []


def test_no_manifest_at_all_is_no_store(tmp_path: Path) -> None:
    for act in (open_snapshot, check_store, rebuild_store):
        with pytest.raises(StoreNotFound):
            act(tmp_path)


def all_bytes(store: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in store.rglob("*") if p.is_file()}


@pytest.mark.parametrize("changes", [{"format": 2}, {"format": 99, "parts": "other"}])
def test_a_newer_store_is_refused_and_not_touched(store: Path, changes: dict[str, object]) -> None:
    body = json.loads((store / "manifest.json").read_bytes())
    (store / "manifest.json").write_text(json.dumps({**body, **changes, "written_by": "7.1"}))
    before = all_bytes(store)
    for act in (open_snapshot, check_store, rebuild_store, writer):
        with pytest.raises(StoreError) as refused:
            act(store)
        assert f"format {changes['format']}" in refused.value.message
        assert "up to 1" in refused.value.message
        assert "7.1" in refused.value.hint
        assert refused.value.exit_code == ExitCode.STORE
    assert all_bytes(store) == before


@pytest.mark.parametrize("name", ["../../etc", "..", "/etc/passwd", "a/b", "", "a\0b", "a\\b"])
def test_a_manifest_leads_to_no_file_outside_its_folder(store: Path, name: str) -> None:
    found = manifest.read(store)
    for evil in (
        {**json.loads(to_bytes(found)), "parts": [{"id": name}]},
        json.loads(to_bytes(found)),
    ):
        evil["parts"][0]["id"] = name
        del evil["checksum"]
        evil["checksum"] = manifest._digest(evil)
        with pytest.raises(StoreError, match="damaged"):
            manifest.from_bytes(json.dumps(evil).encode(), store / "manifest.json")


def test_stray_files_are_reported_and_left_alone(store: Path) -> None:
    strays = [
        store / "notes.txt",
        store / "parts" / "holiday",
        store / "parts" / "x.parquet",
        store / "index" / "old.faiss",
        sorted((store / "parts").iterdir())[0] / "extra",
    ]
    for stray in strays:
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"mine")
    problems = check_store(store)
    assert len(problems) == len(strays)
    for stray in strays:
        assert any(p.startswith(str(stray)) for p in problems)
    with writer(store) as w:
        w.add([photo(np.random.default_rng(0), "n", 1)])
    assert all(stray.exists() for stray in strays)


def test_text_vectors_and_thumbnails_are_no_strays(store: Path) -> None:
    (store / "cache").mkdir()
    (store / "cache" / "text.npz").write_bytes(b"x")
    assert check_store(store) == []


def rewrite(store: Path, name: str, change: object) -> None:
    """Change a part as a faulty program would: with right checksums around wrong content."""
    found = manifest.read(store)
    entry = found.parts[0]
    file = store / "parts" / entry.id / name
    if name.endswith(".parquet"):
        table = pq.read_table(file)
        pq.write_table(change(table), file, row_group_size=1024)  # type: ignore[operator]
    else:
        values = np.fromfile(file, "<f2").reshape(-1, DIM)
        change(values)  # type: ignore[operator]
        values.tofile(file)
    from dataclasses import replace

    from usearch.store.files import sum_file

    entry = replace(entry, files={**entry.files, name: sum_file(file)})
    manifest.write(store, replace(found, parts=(entry, *found.parts[1:])), found)


def with_column(name: str, index: int, value: object) -> object:
    def change(table):  # type: ignore[no-untyped-def]
        import pyarrow as pa

        values = table[name].to_pylist()
        values[index] = value
        field = table.schema.field(name)
        place = table.schema.get_field_index(name)
        return table.set_column(place, field, pa.array(values, field.type))

    return change


def set_vector(index: int, value: object) -> object:
    def change(values: np.ndarray) -> None:
        values[index] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("vectors.f16", set_vector(2, np.nan), "wrong vector in 1 row(s): 2"),
        ("vectors.f16", set_vector(3, 0), "wrong vector in 1 row(s): 3"),
        ("vectors.f16", set_vector(0, 1), "wrong vector in 1 row(s): 0"),
        ("segments.parquet", with_column("rle", 1, b"zz"), "wrong mask in 1 row(s): 1"),
        ("segments.parquet", with_column("mask_h", 1, 25), "wrong mask in 1 row(s): 1"),
        ("segments.parquet", with_column("area_share", 1, 0.9), "wrong mask in 1 row(s): 1"),
        ("segments.parquet", with_column("area_share", 0, 1.5), "wrong area_share in 1 row(s): 0"),
        ("segments.parquet", with_column("score", 0, float("nan")), "wrong score in 1 row(s): 0"),
        ("segments.parquet", with_column("x1", 1, 9999.0), "wrong box in 1 row(s): 1"),
        ("segments.parquet", with_column("x0", 1, -3.0), "wrong box in 1 row(s): 1"),
        ("segments.parquet", with_column("parent", 1, 77), "wrong parent in 1 row(s): 1"),
        ("segments.parquet", with_column("parent", 0, 0), "wrong parent in 1 row(s): 0"),
        ("segments.parquet", with_column("depth", 1, 4), "wrong parent in 1 row(s): 1"),
        ("segments.parquet", with_column("segment_id", 1, 0), "segment ids are not"),
        ("segments.parquet", with_column("photo_id", 1, 5), "not in the order of their photos"),
        ("photos.parquet", with_column("n_segments", 1, 3), "its photos have"),
        ("photos.parquet", with_column("photo_id", 1, 0), "not ascending"),
        ("photos.parquet", with_column("path", 1, "1/2.jpg"), "is in the store 2 times"),
        ("photos.parquet", with_column("photo_id", 2, 500), "next photo id"),
    ],
)
def test_wrong_content_under_right_checksums_is_found(
    store: Path, name: str, change: object, said: str
) -> None:
    rewrite(store, name, change)
    problems = check_store(store)
    assert any(said in problem for problem in problems), problems


def test_a_manifest_that_forgets_or_repeats_a_part_is_found(store: Path) -> None:
    from dataclasses import replace

    found = manifest.read(store)
    manifest.write(store, replace(found, parts=(*found.parts, found.parts[1])), found)
    assert any("more than once" in p for p in check_store(store))


def test_a_copy_of_the_folder_is_a_backup(store: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(store, tmp_path / "elsewhere"))
    assert content(copy) == content(store)
    shutil.rmtree(store)
    assert check_store(copy) == []
