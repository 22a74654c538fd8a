"""GPU, FAISS and torch: what is there, and whether the parts fit together.

Versions are read from what is installed; importing torch takes seconds, so only `deep` does
it, in a process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from usearch.health.finding import Finding
from usearch.health.install import version_of

FAISS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12", "faiss-gpu-cuvs")
"""Distributions that all write the module `faiss`."""

_DRIVER_FOR_CUDA = {11: 450, 12: 525, 13: 580}
"""The oldest NVIDIA driver that runs programs made for a CUDA version."""


def nvidia_driver() -> str | None:
    """Version of the NVIDIA driver, or None without one. No program is started."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    found = re.search(r"\b(\d{3}\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else "of unknown version"


def check_gpu() -> Iterator[Finding]:
    """The graphics processor."""
    driver = nvidia_driver()
    if driver is None:
        yield Finding("gpu", "ok", "none; the preset mini needs none")
    else:
        yield Finding("gpu", "ok", f"NVIDIA, driver {driver}")


def check_faiss() -> Iterator[Finding]:
    """FAISS: exactly one distribution, and one that fits the machine."""
    found = {name: v for name in FAISS if (v := version_of(name)) is not None}
    shown = ", ".join(f"{name} {version}" for name, version in found.items())
    if not found:
        yield Finding(
            "faiss", "problem", "FAISS is not installed", "pip install faiss-cpu"
        )  # fmt: skip
    elif len(found) > 1:
        keep = next((name for name in found if name != "faiss-cpu"), "faiss-cpu")
        yield Finding(
            "faiss",
            "problem",
            f"{shown}: both write the module faiss, the one installed last wins in part",
            f"pip uninstall {' '.join(found)}, then pip install {keep}",
        )
    elif "faiss-cpu" in found:
        driver = nvidia_driver()
        yield Finding(
            "faiss",
            "note" if driver else "ok",
            f"{shown}, searches on the CPU",
            "to search on the GPU: pip uninstall faiss-cpu, then pip install faiss-gpu"
            if driver
            else "",
        )
    elif nvidia_driver() is None:
        yield Finding(
            "faiss", "note", f"{shown}, but there is no NVIDIA driver: searches on the CPU",
            "faiss-cpu would do",
        )  # fmt: skip
    else:
        yield Finding("faiss", "ok", f"{shown}, can search on the GPU")


def check_torch() -> Iterator[Finding]:
    """Whether torch and torchvision are one build, made for a CUDA that the driver runs."""
    torch, vision = version_of("torch"), version_of("torchvision")
    if torch is None:
        return
    yield Finding("torch", "ok", f"torch {torch}" + (f", torchvision {vision}" if vision else ""))
    if vision is not None:
        yield from _pair(torch, vision)
    yield from _cuda(torch)


def _pair(torch: str, vision: str) -> Iterator[Finding]:
    """Whether torchvision was built for this torch: it names the one that it needs."""
    wanted = next(
        (
            found[1]
            for line in metadata.requires("torchvision") or ()
            if (found := re.match(r"torch\s*\(?==\s*([\w.+]+)", line))
        ),
        None,
    )
    build, vision_build = _build(torch), _build(vision)
    if wanted is not None and wanted.split("+")[0] != torch.split("+")[0]:
        yield Finding(
            "torch",
            "problem",
            f"torchvision {vision} was made for torch {wanted}, here is torch {torch}",
            f"install both together: pip install torch=={torch.split('+')[0]} torchvision",
        )
    elif build and vision_build and build != vision_build:
        yield Finding(
            "torch",
            "problem",
            f"torch is built for {build}, torchvision for {vision_build}",
            "install both from the same place",
        )


def _cuda(torch: str) -> Iterator[Finding]:
    driver, build = nvidia_driver(), _build(torch)
    if driver is not None and build == "cpu":
        yield Finding(
            "torch",
            "note",
            "this torch is built for the CPU, the GPU is not used",
            "install a build for CUDA: pytorch.org says how",
        )
    made_for = re.fullmatch(r"cu(\d{2})\d+", build)
    if made_for is None:
        return
    cuda = int(made_for[1])
    if driver is None:
        yield Finding("torch", "note", f"built for CUDA {cuda}, but there is no NVIDIA driver")
    elif driver[:3].isdigit() and int(driver[:3]) < _DRIVER_FOR_CUDA.get(cuda, 0):
        yield Finding(
            "torch",
            "problem",
            f"built for CUDA {cuda}, which needs driver {_DRIVER_FOR_CUDA[cuda]} or newer; "
            f"here is {driver}",
            "update the NVIDIA driver, or install a torch for an older CUDA",
        )


def _build(version: str) -> str:
    """The build of a version: "cpu", "cu124", or "" where it does not say."""
    return version.partition("+")[2]


_PROBE = """
import json
said = {}
import torch
said["torch"] = torch.__version__
said["cuda"] = torch.version.cuda
said["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
if said["gpus"]:
    said["free"], said["total"] = torch.cuda.mem_get_info()
    (torch.ones(8, device="cuda") * 2).sum().item()
import torchvision
torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
print(json.dumps(said))
"""


def check_torch_deep(timeout: float = 120.0) -> Iterator[Finding]:
    """Imports torch and torchvision in a process of its own and computes something."""
    if version_of("torch") is None:
        return
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and program
            command, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("torch", "problem", f"importing torch took more than {timeout:.0f} s")
        return
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        yield Finding(
            "torch",
            "problem",
            f"torch does not work: {said[0][:300]}",
            "install torch and torchvision again, together",
        )
        return
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["gpus"]:
        yield Finding(
            "torch", "ok", f"imports and computes; CUDA {found['cuda'] or 'none'}, no GPU"
        )
        return
    yield Finding(
        "torch",
        "ok",
        f"imports and computes on {', '.join(found['gpus'])}; CUDA {found['cuda']}, "
        f"{found['free'] / 1e9:.1f} of {found['total'] / 1e9:.1f} GB free",
    )
