"""What the store's tests share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The death of a process loses nothing that was written, synced or not: spare the disk."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
