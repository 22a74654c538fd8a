"""Mask AP against pycocotools' own accumulation; intervals over photos."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from eval import mask_ap as ap
from usearch import masks

SIZE = (24, 32)


def region(photo: int, category: int, box: tuple[int, int, int, int], score: float = 0.0, **more):
    x0, y0, x1, y1 = box
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return ap.MaskRegion(photo, category, SIZE, masks.encode(mask), int(mask.sum()), box, score,
                         **more)  # fmt: skip


def random_box(rng: np.random.Generator) -> tuple[int, int, int, int]:
    x, y = int(rng.integers(0, 24)), int(rng.integers(0, 16))
    return x, y, x + int(rng.integers(3, 9)), y + int(rng.integers(3, 9))


def shaken(rng: np.random.Generator, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    dx, dy = rng.integers(-1, 2, 2).tolist()
    return max(0, x0 + dx), max(0, y0 + dy), min(32, x1 + dx + 1), min(24, y1 + dy + 1)


def scene(seed: int, n_photos: int = 7, n_categories: int = 3):
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for photo in range(n_photos):
        for _ in range(int(rng.integers(0, 6))):
            box, category = random_box(rng), int(rng.integers(0, n_categories))
            truth.append(region(photo, category, box, crowd=bool(rng.random() < 0.15)))
            if rng.random() < 0.8:
                found.append(region(photo, category, shaken(rng, box), round(rng.random(), 1)))
        found += [
            region(
                photo, int(rng.integers(0, n_categories)), random_box(rng), round(rng.random(), 1)
            )
            for _ in range(3)
        ]
    return truth, found


def judged(truth, found, n_photos, n_categories, most):
    """What pycocotools makes of the same: precision [10, 101, C] to AP [C, 10]."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    sets = []
    with contextlib.redirect_stdout(io.StringIO()):
        for regions in (truth, found):
            coco = COCO()
            coco.dataset = ap.coco_document(regions, n_photos, n_categories)
            coco.createIndex()
            sets.append(coco)
        run = COCOeval(*sets, "segm")
        run.params.maxDets = [1, 10, most]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, :, 0, 2]
    return np.where(precision[:, 0] < 0, np.nan, precision.mean(1)).T


@pytest.mark.parametrize("seed", range(4))
def test_ap_is_that_of_pycocotools(seed):
    truth, found = scene(seed)
    ours = np.stack([ap.average_precision(m) for m in ap.match_masks(truth, found, 7, 3)])
    theirs = judged(truth, found, 7, 3, 100)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_photo_counted_twice_is_that_photo_twice_in_the_set():
    rng = np.random.default_rng(9)
    truth = [region(p, 0, (2, 2 + 4 * i, 9, 5 + 4 * i)) for p in range(3) for i in range(3)]
    found = [region(r.photo, 0, shaken(rng, r.box), float(rng.random())) for r in truth]
    # The copy's scores are a hair lower, so that a detection and its copy stand side by side.
    copies = [region(3, 0, r.box, r.score - 1e-9) for r in found if r.photo == 1]
    twin = [region(3, 0, r.box) for r in truth if r.photo == 1]
    [once] = ap.match_masks(truth, found, 3, 1)
    [twice] = ap.match_masks([*truth, *twin], [*found, *copies], 4, 1)
    weighted = ap.average_precision(once, np.array([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(weighted, ap.average_precision(twice), atol=0.02)
    assert abs(weighted - ap.average_precision(once)).max() > 0.02


def test_only_the_best_hundred_of_a_photo_count_over_all_classes():
    truth = [region(0, 0, (0, 0, 8, 8)), region(0, 1, (10, 10, 20, 20))]
    noise = [region(0, 0, (20, 0, 24, 4), 0.9) for _ in range(3)]
    found = [*noise, region(0, 1, (10, 10, 20, 20), 0.5)]
    least = [m.hit.any() for m in ap.match_masks(truth, found, 1, 2, most=3)]
    assert least == [False, False]
    assert [m.hit.any() for m in ap.match_masks(truth, found, 1, 2, most=4)] == [False, True]


def test_perfect_masks_are_worth_one_and_none_is_worth_nothing():
    truth = [region(p, c, (4 * c, 2, 4 * c + 4, 9)) for p in range(3) for c in range(2)]
    found = [region(r.photo, r.category, r.box, 0.7) for r in truth]
    perfect = ap.mask_ap(ap.match_masks(truth, found, 3, 3), rounds=20)
    assert perfect.ap == pytest.approx(1.0)
    assert perfect.intervals["ap50"].low == pytest.approx(1.0)
    assert np.isnan(perfect.by_class[2])  # nothing of it is labelled: it does not count
    nothing = ap.mask_ap(ap.match_masks(truth, [], 3, 3), rounds=20)
    assert (nothing.ap, nothing.ap50, nothing.ap75) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_value_and_is_no_point():
    truth, found = scene(11, n_photos=12)
    scores = ap.mask_ap(ap.match_masks(truth, found, 12, 3), rounds=100)
    interval = scores.intervals["ap50"]
    assert interval.low < scores.ap50 < interval.high
