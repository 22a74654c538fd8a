"""The installation: versions, what is missing, and who else is called usearch."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import usearch
from usearch.health.finding import Finding

REQUIRED = (
    "numpy", "pillow", "onnxruntime", "duckdb", "pyarrow", "typer", "rich", "higra",
)  # fmt: skip
"""Distributions that every command counts on; FAISS has a check of its own."""

EXTRAS: dict[str, tuple[str, ...]] = {
    "torch": ("torch", "torchvision", "open_clip_torch", "timm", "segment-anything", "safetensors"),
    "heic": ("pillow-heif",),
    "serve": ("starlette", "uvicorn"),
    "demo": ("scikit-image", "scikit-learn"),
}
"""What the optional parts need; the names of the extras of `pip install 'use-segments[...]'`."""

_WHAT = {
    "torch": "the presets clip and large, the segmenter sam",
    "heic": "HEIC photos",
    "serve": "usearch serve",
    "demo": "usearch demo",
}


def version_of(distribution: str) -> str | None:
    """Version of an installed distribution, or None. Nothing is imported."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def check_installation() -> Iterator[Finding]:
    """Version, Python, machine, packages and extras."""
    where = Path(usearch.__file__).parent
    yield Finding("usearch", "ok", f"{usearch.__version__} in {where}")
    yield Finding(
        "python", "ok", f"{platform.python_version()}, {sys.executable}, {platform.platform()}"
    )
    yield Finding("machine", "ok", _machine())
    found = {name: version_of(name) for name in REQUIRED}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        yield Finding(
            "packages",
            "problem",
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            "install use-segments again: pip install --force-reinstall use-segments",
        )
    here = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    yield Finding("packages", "ok", here)
    for extra, names in EXTRAS.items():
        lacking = [name for name in names if version_of(name) is None]
        state = f"without {', '.join(lacking)}" if lacking else "installed"
        yield Finding(
            f"extra {extra}",
            "note" if lacking else "ok",
            f"{state} ({_WHAT[extra]})",
            f"pip install 'use-segments[{extra}]' for {_WHAT[extra]}" if lacking else "",
        )


def check_names() -> Iterator[Finding]:
    """Other things that are called usearch: a package that overwrites ours, a program before it."""
    other = version_of("usearch")
    if not hasattr(usearch, "_PUBLIC"):
        yield Finding(
            "name clash",
            "problem",
            f"{usearch.__file__} is not ours: another package has written over it",
            "pip install --force-reinstall --no-deps use-segments, in an environment of its own",
        )
    if other is not None:
        yield Finding(
            "name clash",
            "problem",
            f"the package `usearch` {other} (a vector index, another project) is in this "
            "environment; both write the folder usearch/, the one installed last wins",
            "pip uninstall usearch, then pip install --force-reinstall --no-deps use-segments; "
            "or give each an environment of its own",
        )
    programs = [path for path in _programs("usearch") if not _is_ours(path)]
    first = next(_programs("usearch"), None)
    for path in programs:
        before = path == first
        yield Finding(
            "name clash",
            "problem" if before else "note",
            f"{path} is another program called usearch"
            + (", and comes first on PATH" if before else ", later on PATH"),
            f"put {Path(sys.executable).parent} before it on PATH, or use `python -m usearch`"
            if before
            else "",
        )
    if first is None:
        yield Finding(
            "name clash", "note", "`usearch` is not on PATH", "`python -m usearch` does the same"
        )
    elif other is None and not programs:
        yield Finding("name clash", "ok", f"none; `usearch` on PATH is {first}")


def _programs(name: str) -> Iterator[Path]:
    """Programs of a name on PATH, in its order, each file once."""
    seen = set()
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder or ".") / name
        if path.is_file() and os.access(path, os.X_OK) and path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


def _is_ours(path: Path) -> bool:
    """Whether a program is the entry point of this project, in whatever environment."""
    try:
        with path.open("rb") as file:
            return b"usearch.cli" in file.read(4096)
    except OSError:
        return False


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = [f"{platform.machine()}, {cores} cores"]
    info = _read("/proc/cpuinfo")
    if "flags" in info:
        flags = info.split("flags", 1)[1].splitlines()[0].split()
        found = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_tile") if name in flags]
        facts.append(" ".join(found) or "no AVX2: slow")
    memory = _read("/proc/meminfo").split("MemTotal:")
    if len(memory) > 1:
        facts.append(f"{int(memory[1].split()[0]) * 1024 / 1e9:.1f} GB memory")
    return ", ".join(facts)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
