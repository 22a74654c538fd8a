"""Where weights are looked for, which files are known, and their checksums. No downloading.

A weight file is looked for, in this order: the path given by the caller (`weights`,
a file or a folder), the folder of the setting `models`, the cache of this project
(`~/.cache/usearch/models` on Linux), and the caches in which torch.hub and OpenAI's `clip`
package leave the same files. Files whose checksum is known are verified before use.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usearch.errors import ModelError
from usearch.models.card import sha256_of
from usearch.settings import home, setting


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One published file.

    Attributes:
        name: File name as published.
        what: The model, for people.
        bytes: Size in bytes, or None where it is not known for certain.
        sha256: Checksum in hex, or None where it is not known for certain.
        source: Address of the file, or of the page that offers it.
        licence: Terms of the weights.
    """

    name: str
    what: str
    bytes: int | None
    sha256: str | None
    source: str
    licence: str


_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_CLIP = "https://openaipublic.azureedge.net/clip/models/"
_B32 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
_L14 = "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"

WEIGHTS: dict[str, WeightFile] = {
    "sam-vit-b": WeightFile(
        "sam_vit_b_01ec64.pth",
        "SAM ViT-B",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        f"{_SAM}sam_vit_b_01ec64.pth",
        "Apache-2.0",
    ),
    "sam-vit-l": WeightFile(
        "sam_vit_l_0b3195.pth",
        "SAM ViT-L",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        f"{_SAM}sam_vit_l_0b3195.pth",
        "Apache-2.0",
    ),
    "sam-vit-h": WeightFile(
        "sam_vit_h_4b8939.pth",
        "SAM ViT-H",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        f"{_SAM}sam_vit_h_4b8939.pth",
        "Apache-2.0",
    ),
    "clip-vit-b-32": WeightFile(
        "ViT-B-32.pt",
        "OpenAI CLIP ViT-B/32",
        353_976_522,
        _B32,
        f"{_CLIP}{_B32}/ViT-B-32.pt",
        "MIT",
    ),
    "clip-vit-l-14-336": WeightFile(
        "ViT-L-14-336px.pt",
        "OpenAI CLIP ViT-L/14 at 336 px",
        934_088_680,
        _L14,
        f"{_CLIP}{_L14}/ViT-L-14-336px.pt",
        "MIT",
    ),
    "dinov2-vit-l-14": WeightFile(
        "dinov2_vitl14_pretrain.pth",
        "DINOv2 ViT-L/14",
        1_217_586_395,
        "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        "Apache-2.0",
    ),
}
"""Known weights by key. OpenAI publishes its checksums in the addresses; the other sums and
sizes are those that several independent public projects pin for the same address."""


def cache_dir() -> Path:
    """The cache folder of this project for this user, by the platform's custom."""
    if sys.platform == "darwin":
        base = home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    return base / "usearch"


def weight_dirs(weights: Path | None = None) -> list[Path]:
    """Folders that are searched for weights, first one first.

    Args:
        weights: The folder given by the user, if any.
    """
    dirs = [] if weights is None else [weights.expanduser()]
    if named := setting("models"):
        dirs.append(named)
    dirs.append(cache_dir() / "models")
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")
    torch_home = Path(os.environ.get("TORCH_HOME") or user_cache / "torch")
    return [*dirs, torch_home / "hub" / "checkpoints", user_cache / "clip"]


def find_weights(key: str, weights: Path | None = None) -> Path:
    """Path of a known weight file, verified.

    Args:
        key: A key of `WEIGHTS`.
        weights: A folder to search first, or the very file to use. A file under the
            published name is verified; one under another name is the user's own choice
            (a fine-tuned copy, another format) and is taken as it is.

    Raises:
        ModelError: No such file, or it fails its checksum.
    """
    known = WEIGHTS[key]
    if weights is not None:
        weights = weights.expanduser()
        if weights.is_file():
            return verified(weights, known) if weights.name == known.name else weights
        if not weights.is_dir():
            raise ModelError(
                f"{weights} (given for the weights of {known.what}) does not exist",
                f"it must be {known.name} or a folder that holds it",
            )
    dirs = weight_dirs(weights)
    for folder in dirs:
        path = folder / known.name
        if path.is_file():
            return verified(path, known)
    raise ModelError(missing(known, dirs), where_to_get(known, weights))


def missing(known: WeightFile, dirs: Sequence[Path]) -> str:
    """The line that says which file is needed, how large it is and where it was looked for."""
    size = f"{known.bytes / 1e6:,.0f} MB" if known.bytes else "size unknown"
    checksum = f"sha256 {known.sha256}" if known.sha256 else "sha256 unknown"
    places = ", ".join(str(d) for d in dirs)
    return f"{known.what} needs {known.name} ({size}, {checksum}), not found in {places}"


def where_to_get(known: WeightFile, weights: Path | None = None) -> str:
    """The line that says what to do about a missing file."""
    place = weights or setting("models") or cache_dir() / "models"
    by_hand = f"get it from {known.source} and put it into {place}"
    key = next((key for key, file in WEIGHTS.items() if file is known), None)
    return f"`usearch models pull {key}`, or {by_hand}" if key and weights is None else by_hand


def verified(path: Path, known: WeightFile) -> Path:
    """The path itself when the file is the published one.

    Raises:
        ModelError: Size or checksum differ.
    """
    size = path.stat().st_size
    if known.bytes is not None and size != known.bytes:
        raise ModelError(
            f"{path} has {size:,} bytes where {known.what} has {known.bytes:,}: "
            "the download is incomplete or it is another file",
            f"delete it and get it again from {known.source}",
        )
    if known.sha256 is not None and file_sha256(path) != known.sha256:
        raise ModelError(
            f"{path} fails its checksum: it is not the published {known.what}",
            f"delete it and get it again from {known.source}",
        )
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex.

    Hashing gigabytes at every start would cost seconds, so the sum is remembered in the
    user's cache together with the file's identity, size and time of change, and taken from
    there as long as these hold.

    Raises:
        ModelError: The file cannot be read.
    """
    try:
        stat = path.stat()
        identity = [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        note = _note_of(path)
        if (known := _read_note(note, identity)) is not None:
            return known
        total = sha256_of(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    _write_note(note, identity, total)
    return total


def _note_of(path: Path) -> Path:
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    return cache_dir() / "checksums" / f"{name}.json"


def _read_note(note: Path, identity: list[int]) -> str | None:
    try:
        saved = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    if isinstance(saved, dict) and saved.get("file") == identity:
        return str(saved.get("sha256"))
    return None


def _write_note(note: Path, identity: list[int], sha256: str) -> None:
    # The note only saves time: a read-only home must not stop the work.
    partial = note.with_name(f"{note.name}.{os.getpid()}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"file": identity, "sha256": sha256}))
        partial.replace(note)
    except OSError:
        return


def require_packages(*modules: str, extra: str = "torch") -> None:
    """Say which optional packages are missing, before an import fails.

    Raises:
        ModelError: At least one module is not installed.
    """
    absent = [m for m in modules if importlib.util.find_spec(m) is None]
    if absent:
        raise ModelError(
            f"this needs {', '.join(absent)}, not installed here",
            f"pip install 'use-segments[{extra}]'",
        )
