"""Fit what a score means on half of the labelled photos, and measure it on the other half.

    python -m benchmarks.calibration --root ../shared/data \
        --card usearch/models/mini/card.json --page docs/scores.md --diagram docs/scores.png

Indexes the photos with the preset (unless --store names a store that has them), fits the
constants on every other photo of each set, writes them into the card, measures everything on
the photos between, and puts the figures and the reliability diagram into docs/scores.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration_page import draw, page
from eval import presence
from eval.calibration import (
    calibration_error,
    calibration_sums,
    error_of,
    even_cutoff,
    fit_platt,
    reliability_of,
    separation,
)
from eval.datasets import RegionSet, region_set
from eval.evidence import Evidence, as_looks, evidence_of
from eval.metrics import Interval, bootstrap_interval, hit_sums, share_of
from eval.stored import stored_photos
from usearch.models.presets import load_text_encoder, preset_calibration, preset_templates
from usearch.scores import HIGHEST_CUTOFF, USUAL_SEGMENTS, logistic, share_log_odds
from usearch.store import Snapshot, open_snapshot
from usearch.text.embed import embed_names
from usearch.text.templates import TEMPLATES

SETS = ("coco-stuff100", "coco-captions80")
ROUNDS = 100
Plain = Callable[[np.ndarray], np.ndarray]
BEGIN, END = "<!-- figures: benchmarks/calibration.py -->", "<!-- end of figures -->"


@dataclass(frozen=True, slots=True)
class Curve:
    """Constants of one kind of question: evidence to score, and the cut-off."""

    slope: float
    bias: float
    level: float
    growth: float

    def logits(self, evidence: np.ndarray) -> np.ndarray:
        """Log odds of the score."""
        return self.slope * evidence + self.bias

    def cutoff_logit(self, segments: float) -> float:
        """Log odds of the cut-off among so many segments, as `usearch.scores` has it."""
        grown = self.level + self.growth * np.log(max(segments, 1.0) / USUAL_SEGMENTS)
        return float(min(grown, np.log(HIGHEST_CUTOFF / (1 - HIGHEST_CUTOFF))))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the development sets")
    parser.add_argument("--preset", default="mini")
    parser.add_argument(
        "--store", type=Path, help="a store that has the photos; else they are indexed"
    )
    parser.add_argument("--card", type=Path, help="card.json to write the constants into")
    parser.add_argument("--page", type=Path, help="page whose figures are replaced")
    parser.add_argument("--diagram", type=Path, help="PNG of the reliability diagram")
    parser.add_argument("--json", type=Path, help="the whole report")
    options = parser.parse_args()
    sets = [region_set(options.root, name) for name in SETS]
    with tempfile.TemporaryDirectory() as scratch:
        store = options.store or indexed(options.root, options.preset, Path(scratch) / ".usearch")
        snapshot = open_snapshot(store)
        everything = evidence(snapshot, sets)
    things = len(sets[0].things)
    texts = everything.of_names(slice(things))
    # Only the first set labels stuff.
    first = everything.of_photos(np.arange(len(sets[0].photos)))
    stuff, looks = first.of_names(slice(things, None)), as_looks(first)
    report: dict[str, Any] = {"schema_version": 1, "model": snapshot.space.name}
    curve = fitted(half(texts, 0))
    look = fitted(half(looks, 0))
    report["constants"] = {
        **constants(curve),
        **{f"look_{k}": v for k, v in constants(look).items()},
    }
    report["evidence"] = separations(half(texts, 0), half(texts, 1))
    report["texts"] = judged(half(texts, 0), half(texts, 1), curve, logistic)
    report["stuff"] = {"calibration": calibration_of(half(stuff, 1), curve, logistic)}
    report["looks"] = judged(
        half(looks, 0), half(looks, 1), look, lambda cosines: (cosines + 1) / 2
    )
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.card:
        write_constants(options.card, report["constants"])
    if options.page:
        replace_figures(options.page, page(report))
    if options.diagram:
        draw(report, options.diagram)


def indexed(root: Path, preset: str, store: Path) -> Path:
    """A new store over the photos."""
    from functools import partial

    from indexer.pipeline import index_photos
    from indexer.presets import load_indexer

    load = partial(load_indexer, preset, None, "cpu")
    index_photos([root / name / "images" for name in SETS], store, load, preset=preset)
    return store


def evidence(snapshot: Snapshot, sets: list[RegionSet]) -> Evidence:
    """Evidence of all photos for the things, then the stuff, of the first set."""
    names = [*sets[0].things, *sets[0].stuff]
    photos = [photo for one in sets for photo in one.photos]
    stored = list(stored_photos(snapshot, [photo.path for photo in photos]))
    encoder = load_text_encoder(snapshot.preset)
    templates = TEMPLATES[preset_templates(snapshot.preset)]
    calibration = preset_calibration(snapshot.preset)
    texts = embed_names(encoder, names, templates)
    background = embed_names(encoder, list(calibration.background), templates)
    vectors = np.concatenate([one.vectors for one in stored])
    odds = share_log_odds(texts, vectors, background, calibration.logit_scale)
    return evidence_of(stored, photos, names, texts, odds)


def half(evidence: Evidence, which: int) -> Evidence:
    """Every other photo: 0 = those that are fitted on, 1 = those that are reported on."""
    return evidence.of_photos(np.arange(which, len(evidence.shows), 2))


def fitted(evidence: Evidence) -> Curve:
    """Curve and cut-off on hits that a person would see."""
    shown = presence.shown_hits(evidence)
    slope, bias = fit_platt(
        evidence.odds[shown.row, shown.name], evidence.right[shown.row, shown.name], shown.weight
    )
    best = best_logits(evidence, Curve(slope, bias, 0.0, 0.0))
    level, growth = presence.fit_cutoff(best, evidence, segments_a_photo(evidence), USUAL_SEGMENTS)
    return Curve(slope, bias, level, growth)


def best_logits(evidence: Evidence, curve: Curve) -> np.ndarray:
    """Log odds of the score of each photo's best segment, float64 [P, C]."""
    return presence.best_of_photos(curve.logits(evidence.odds), evidence.photo, len(evidence.shows))


def segments_a_photo(evidence: Evidence) -> float:
    """Mean number of segments."""
    return len(evidence.photo) / len(evidence.shows)


def constants(curve: Curve) -> dict[str, float]:
    """The constants as the card holds them."""
    return {
        "slope": round(curve.slope, 4),
        "bias": round(curve.bias, 4),
        "cutoff": round(float(logistic(curve.level)), 4),
        "cutoff_growth": round(curve.growth, 4),
    }


def judged(fit: Evidence, judge: Evidence, curve: Curve, plain: Plain) -> dict[str, Any]:
    """All figures of one kind of question, on the photos that were not fitted on."""
    best = best_logits(judge, curve)
    tables, even = [], []
    for size in (size for size in presence.SIZES if size <= len(judge.shows)):
        cutoff = curve.cutoff_logit(size * segments_a_photo(judge))
        tables.append(presence_figures(judge, best, curve, size, cutoff))
        some = presence.collections(np.arange(len(fit.shows)), size, 200)
        fit_best = best_logits(fit, curve)
        even.append(
            [size, float(logistic(even_cutoff(*presence.best_of_collections(fit_best, fit, some))))]
        )
    return {
        "photos": {"fit": len(fit.shows), "report": len(judge.shows)},
        "segments": {"fit": len(fit.photo), "report": len(judge.photo)},
        "questions": judge.cosines.shape[1],
        "calibration": calibration_of(judge, curve, plain),
        "presence": tables,
        "even_cutoff_on_fit_half": even,
    }


def calibration_of(judge: Evidence, curve: Curve, plain: Plain) -> dict[str, Any]:
    """Calibration error and reliability, of the plain value and of the score."""
    shown = presence.shown_hits(judge)
    values = judge.odds[shown.row, shown.name]
    right = judge.right[shown.row, shown.name]
    photos = judge.photo[shown.row]
    after = logistic(curve.logits(values))
    out: dict[str, Any] = {"hits": len(right), "right": int(right.sum())}
    for key, scores in (("before", plain(values)), ("after", after)):
        sums = calibration_sums(scores, right, photos, shown.weight)
        said, so = reliability_of(sums.sum(0))
        out[key] = {
            "error": float(error_of(sums.sum(0))),
            "interval": ends(bootstrap_interval(sums, error_of)),
            "bins": [
                [float(said[i]), float(so[i]), *ends(bootstrap_interval(sums, share_right_in(i)))]
                for i in np.flatnonzero(said).tolist()
            ],
        }
    out["by_size"] = {}
    for size in sorted(set(shown.size.tolist())):
        at = shown.size == size
        error = calibration_error(after[at], right[at])
        out["by_size"][size] = [float(after[at].mean()), float(right[at].mean()), error]
    return out


def share_right_in(number: int) -> Plain:
    """The share right of one bin, as a function of sums over photos."""
    return lambda sums: reliability_of(sums)[1][..., number]


def presence_figures(
    judge: Evidence, best: np.ndarray, curve: Curve, size: int, cutoff: float
) -> dict[str, Any]:
    """How often "nothing here matches" is wrong, and how much of what is returned is right."""
    made = presence.decisions(best, judge, size, cutoff)
    spread = presence.decision_intervals(
        lambda photos: presence.decisions(best, judge, size, cutoff, photos, 50),
        len(best),
        size,
        ROUNDS,
    )
    alarms, misses = ([], []) if spread is None else map(ends, spread)
    hits = presence.returned_hits(judge, curve.logits(judge.odds), size, cutoff)
    right = judge.right[hits.row, hits.name]
    photos = judge.photo[hits.row]

    def share(at: np.ndarray) -> list[float]:
        if not at.any():
            return [0.0, 0.0, 0.0, 0]
        spread = bootstrap_interval(hit_sums(right[at], photos[at]), share_of)
        return [float(right[at].mean()), spread.low, spread.high, int(at.sum())]

    return {
        "photos": size,
        "cutoff": float(logistic(cutoff)),
        "absent": made.absent,
        "false_alarms": [made.false_alarms, *alarms],
        "present": made.present,
        "misses": [made.misses, *misses],
        "right_of_returned": share(np.ones(len(right), bool)),
        "right_of_returned_where_present": share(hits.present),
    }


def ends(interval: Interval) -> list[float]:
    """Both ends."""
    return [interval.low, interval.high]


def separations(fit: Evidence, judge: Evidence) -> dict[str, dict[str, float]]:
    """How well other evidence tells photos with a name from photos without: area under the curve.

    `all`: all questions together, so that frequent names may score higher. `even`: each name
    weighs the same, and so do its photos with and without.
    """
    middle, spread = fit.cosines.mean(0), fit.cosines.std(0)
    sorted_odds = np.sort(fit.odds, axis=0)
    high = sorted_odds[int(0.99 * len(sorted_odds))]
    shown = presence.shown_hits(fit)
    areas = np.log(np.maximum(judge.areas, 1e-6))[:, None]
    right = fit.right[shown.row, shown.name]
    features = np.stack(
        [fit.odds[shown.row, shown.name], np.log(np.maximum(fit.areas[shown.row], 1e-6))], 1
    )
    weight_of_area = two_slopes(features, right, shown.weight)
    kinds = {
        "cosine": judge.cosines.astype(np.float64),
        "cosine in standard deviations of the word's cosines with other photos": (
            judge.cosines - middle
        )
        / spread,
        "share": judge.odds,
        "share, less what 1 % of the segments of other photos reach": judge.odds - high,
        "share and size of the segment": judge.odds + weight_of_area * areas,
    }
    out = {}
    for kind, values in kinds.items():
        best = presence.best_of_photos(values, judge.photo, len(judge.shows))
        each = [
            separation(best[judge.shows[:, c], c], best[judge.lacks[:, c], c])
            for c in np.flatnonzero(judge.shows.any(0) & judge.lacks.any(0))
        ]
        across = even_separation(best, judge)
        out[kind] = {"all": separation(best[judge.shows], best[judge.lacks]), "even": across,
                     "within": float(np.mean(each))}  # fmt: skip
    return out


def even_separation(best: np.ndarray, judge: Evidence) -> float:
    """`separation` with the same weight for each name, and in it for photos with and without."""
    total, names = 0.0, np.flatnonzero(judge.shows.any(0) & judge.lacks.any(0))
    lacking = [np.sort(best[judge.lacks[:, c], c]) for c in names]
    for c in names:
        own = best[judge.shows[:, c], c]
        total += np.mean([(np.searchsorted(rest, own) / len(rest)).mean() for rest in lacking])
    return float(total / len(names))


def two_slopes(features: np.ndarray, right: np.ndarray, weight: np.ndarray) -> float:
    """Slope of the second feature of a logistic regression over that of the first."""
    from scipy.optimize import minimize

    scaled = np.column_stack(((features - features.mean(0)) / features.std(0), np.ones(len(right))))
    sign = np.where(right, 1.0, -1.0)
    found = minimize(lambda p: weight @ np.logaddexp(0, -sign * (scaled @ p)), np.zeros(3)).x
    slopes = found[:2] / features.std(0)
    return float(slopes[1] / slopes[0])


def write_constants(card: Path, fitted_constants: dict[str, float]) -> None:
    """Replace the constants of the score in a card."""
    data = json.loads(card.read_text(encoding="utf-8"))
    data["calibration"] = fitted_constants
    card.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_figures(path: Path, text: str) -> None:
    """Put text between the marks of a page."""
    old = path.read_text(encoding="utf-8")
    before, rest = old.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    path.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
