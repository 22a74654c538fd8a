"""The commands with the model that comes along, on a photo made here."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

MAIN = """
import sys
from usearch.cli import main
if __name__ == "__main__":
    code = main()
    print("loaded:", *sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
    sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one photo, blue above and green below."""
    folder = tmp_path_factory.mktemp("bundled")
    noise = np.random.default_rng(0).normal(0, 12, (120, 160, 3))
    picture = np.where(np.arange(120)[:, None, None] < 60, (110, 170, 240), (70, 140, 40)) + noise
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / "meadow.png")
    (folder / "list.txt").write_text("sky\ngrass\n")
    (folder / "run.py").write_text(MAIN)
    return folder


def run(folder, *words):
    """Exit code, stdout and the top-level modules loaded at the end."""
    done = subprocess.run(
        [sys.executable, "run.py", *words], cwd=folder, capture_output=True, text=True
    )
    assert "loaded:" in done.stderr, done.stderr
    return done.returncode, done.stdout, set(done.stderr.split("loaded:")[1].split())


def test_index_query_and_segment_without_torch(folder):
    code, _, loaded = run(folder, "index", "meadow.png", "--workers", "1")
    assert code == 0
    assert "torch" not in loaded

    code, out, loaded = run(folder, "query", "grass", "--all", "--json")
    assert code == 0
    best = json.loads(out)["hits"][0]
    assert best["box"][1] > 30  # the lower half
    assert not {"torch", "onnxruntime", "indexer", "trainer", "eval", "duckdb", "scipy"} & loaded

    code, _, loaded = run(folder, "segment", "meadow.png", "--classes", "list.txt", "-o", "maps")
    assert code == 0
    assert "torch" not in loaded
    with Image.open(folder / "maps" / "meadow.png") as picture:
        labels = np.asarray(picture)
    assert (labels[:40] == 0).mean() > 0.9
    assert (labels[80:] == 1).mean() > 0.9
