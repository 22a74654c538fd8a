"""Fit the score constants of a preset on half of the labelled photos, report on the other.

usearch index ROOT/coco-stuff100/images ROOT/coco-captions80/images --store STORE
python benchmarks/calibration.py --root ROOT --store STORE --json FILE
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from eval.calibration import best_answers, best_cutoff, calibration_error, fit_platt
from eval.datasets import region_set
from eval.naming import regions_to_name
from eval.stored import stored_photos
from usearch.models.presets import load_text_encoder, preset_calibration, preset_templates
from usearch.search import SAME_MEANING
from usearch.store import open_snapshot
from usearch.text.embed import embed_names
from usearch.text.templates import TEMPLATES


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["coco-stuff100", "coco-captions80"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sets = [region_set(options.root, name) for name in options.sets]
    labelled = regions_to_name(sets)
    names = list(sets[0].things)
    snapshot = open_snapshot(options.store)
    encoder = load_text_encoder(snapshot.preset)
    templates = TEMPLATES[preset_templates(snapshot.preset)]
    calibration = preset_calibration(snapshot.preset)
    answers = best_answers(
        list(stored_photos(snapshot, [r.path for r in labelled])),
        labelled,
        names,
        embed_names(encoder, names, templates),
        embed_names(encoder, list(calibration.background), templates),
        calibration.logit_scale,
        SAME_MEANING,
    )
    fit = answers.photo % 2 == 0
    slope, bias = fit_platt(answers.log_odds[fit], answers.right[fit])
    raw = 1.0 / (1.0 + np.exp(-answers.log_odds))
    scores = 1.0 / (1.0 + np.exp(-(slope * answers.log_odds + bias)))
    cutoff, f1 = best_cutoff(scores[fit], answers.right[fit])
    kept = scores[~fit] >= cutoff
    report = {
        "slope": round(slope, 4),
        "bias": round(bias, 4),
        "cutoff": round(cutoff, 4),
        "fit": {"photos": len(set(answers.photo[fit].tolist())), "answers": int(fit.sum()),
                "right": int(answers.right[fit].sum()), "f1": round(f1, 4)},
        "report": {
            "photos": len(set(answers.photo[~fit].tolist())),
            "answers": int((~fit).sum()),
            "right": int(answers.right[~fit].sum()),
            "calibration_error_raw": round(calibration_error(raw[~fit], answers.right[~fit]), 4),
            "calibration_error": round(calibration_error(scores[~fit], answers.right[~fit]), 4),
            "kept": int(kept.sum()),
            "precision_kept": round(float(answers.right[~fit][kept].sum() / max(1, kept.sum())), 4),
            "recall_kept": round(float(kept[answers.right[~fit]].mean()), 4),
        },
    }  # fmt: skip
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
