"""Weight files of small backbones. What imports torch is imported where it is needed."""

import pytest


@pytest.fixture
def clip_file(tmp_path, monkeypatch):
    """A weight file of a small model that open_clip knows by a name."""
    import tiny_runs

    tiny_runs.know(monkeypatch)
    return tiny_runs.write_clip(tmp_path / "tiny.pt")


@pytest.fixture
def dino_file(tmp_path, clip_file):
    """A DINOv2 file of a small model that timm knows."""
    import tiny_runs

    return tiny_runs.write_dino(tmp_path / "tiny_dino.pth")
