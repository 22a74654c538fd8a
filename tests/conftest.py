"""What every test gets: no network, no home, one thread a library, the shared data."""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

_TESTS = Path(__file__).parent
_OFFLINE = _TESTS / "offline"

# Before NumPy and ONNX Runtime are imported: two cores, and often two test processes.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

runpy.run_path(str(_OFFLINE / "sitecustomize.py"))  # for its effect: this process goes offline

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


SLOW_FILES = {
    "cli/test_bundled_model.py",
    "cli/test_completion.py",
    "cli/test_schemas.py",
    "browser/test_gallery_page.py",
    "embedders/test_build.py",
    "embedders/test_checkpoint.py",
    "embedders/test_clip.py",
    "embedders/test_eval_systems.py",
    "embedders/test_head.py",
    "embedders/test_onnx_form.py",
    "embedders/test_run_commands.py",
    "embedders/test_towers.py",
    "embedders/test_use.py",
    "browser/test_evaluation_page.py",
    "eval/test_metrics_torchmetrics.py",
    "filters/test_filters_against_sql.py",
    "indexer/test_interruptions.py",
    "indexer/test_pipeline_failures.py",
    "indexer/test_pipeline_moves.py",
    "segmenters/test_sam.py",
    "serve/test_guard.py",
    "serve/test_serve_command.py",
    "store/test_store_blocks.py",
    "store/test_store_crash.py",
    "store/test_store_locks.py",
    "test_classify_gaps.py",
    "trainer/test_ablation.py",
    "trainer/test_feature_cache.py",
    "trainer/test_mini_tower.py",
    "trainer/test_use_processes.py",
    "trainer/test_use_training.py",
    "trainer/test_mini_training.py",
    "trainer/test_mini_units.py",
    "trainer/test_ridge.py",
    "trainer/test_small_towers.py",
}
"""Files that start processes, browsers or torch. All of each is slow, and the fast part does not
even import it."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The fast part passes over slow files."""
    if config.option.markexpr != "not slow" or not collection_path.is_relative_to(_TESTS):
        return None
    return collection_path.relative_to(_TESTS).as_posix() in SLOW_FILES or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of a slow file."""
    for item in items:
        if item.path.relative_to(_TESTS).as_posix() in SLOW_FILES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that lies beside the repository, or a skip."""
    folder = _TESTS.parent.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("../shared/data is not here: this test needs its photos")
    return folder


@pytest.fixture(autouse=True)
def _no_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never touch the home, caches or settings of whoever runs them."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    for name in [key for key in os.environ if key.startswith("USEARCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in {
        "XDG_CACHE_HOME": ".cache",
        "XDG_CONFIG_HOME": ".config",
        "XDG_DATA_HOME": ".local/share",
        "XDG_STATE_HOME": ".local/state",
        "HF_HOME": ".cache/huggingface",
        "TORCH_HOME": ".cache/torch",
    }.items():
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Programs that a test starts find this checkout, and are offline.
    paths = [str(_OFFLINE), str(_TESTS.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Allows connections within this machine, for tests that run a server of their own."""
    monkeypatch.setenv("USEARCH_TESTS_ALLOW_LOOPBACK", "1")
    yield
