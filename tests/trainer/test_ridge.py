"""The best affine head in closed form, and heads that start from it."""

import numpy as np
import pytest
import torch
from use_samples import ToyText

from indexer.embedders.head import Branch, HeadShape, USEHead, fold
from trainer.use.features import SegmentFeatures, segment_vectors
from trainer.use.ridge import (
    collect_moments,
    feature_rows,
    mean_texts,
    solve_ridge,
    start_from,
)
from trainer.use.texts import TextBank, text_bank
from usearch.errors import InputError

DIM = 8
NARROW = HeadShape((Branch("a", (6, 5), 5, 6), Branch("b", (7,), 7, 0)), DIM)
WIDE = HeadShape((Branch("a", (6, 5), 10, 6), Branch("b", (7,), 12, 0)), DIM)
WORDS = ("cat", "red car", "grass", "sky")


def some_features(n=200, seed=0, texts=None):
    """Random features; what each text means is seen in them."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(WORDS), n)
    means = np.random.default_rng(9).normal(size=(len(WORDS), 24))
    rows = torch.tensor(means[chosen] + rng.normal(size=(n, 24)), dtype=torch.float32)
    a, b, c, cls = rows.split([6, 5, 7, 6], 1)
    own = texts or tuple((WORDS[i],) for i in chosen)
    return SegmentFeatures({"a": [a, b], "b": [c]}, {"a": cls, "b": c}, own, ("p",) * n, (0,) * n)


@pytest.fixture(scope="module")
def bank() -> TextBank:
    return text_bank(dict.fromkeys(WORDS, 1), {}, ToyText(DIM), "use4", {})


@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_it_is_the_least_squares_solution_with_a_penalty(bank, strength):
    features = some_features()
    moments = collect_moments(
        NARROW, [features.take(range(90)), features.take(range(90, 200))], bank
    )
    (head,) = solve_ridge(NARROW, moments, [strength])
    x = feature_rows(NARROW, features).double().numpy()
    t = mean_texts(features, bank).double().numpy()
    x, t = x - x.mean(0), t - t.mean(0)
    penalty = strength * (x**2).sum(0).mean()
    # Ordinary least squares on rows to which the penalty is added as further rows.
    rows = np.concatenate([x, np.sqrt(penalty) * np.eye(x.shape[1])])
    goals = np.concatenate([t, np.zeros((x.shape[1], DIM))])
    expected = np.linalg.lstsq(rows, goals, rcond=None)[0].T
    np.testing.assert_allclose(head.matrix.numpy(), expected, atol=1e-5)
    out = head.project(
        {k: [y[:, None] for y in v] for k, v in features.pooled.items()}, features.cls
    )
    np.testing.assert_allclose(out.mean((0, 1)).numpy(), 0, atol=1e-5)


def test_the_target_of_a_segment_is_the_mean_of_its_texts(bank):
    features = some_features(2, texts=(("cat", "sky"), ("grass",)))
    vectors = bank.vectors([bank.row[text] for text in ("cat", "sky", "grass")])
    torch.testing.assert_close(
        mean_texts(features, bank), torch.stack([vectors[:2].mean(0), vectors[2]])
    )


def test_it_names_what_it_was_fitted_on(bank):
    features, unseen = some_features(), some_features(seed=1)
    head = solve_ridge(NARROW, collect_moments(NARROW, [features], bank))[0]
    names = bank.vectors([bank.row[word] for word in WORDS])
    best = (segment_vectors(head, unseen) @ names.T).argmax(1).tolist()
    right = [WORDS[i] == own[0] for i, own in zip(best, unseen.texts, strict=True)]
    assert np.mean(right) > 0.8


@pytest.mark.parametrize("shape", [WIDE, HeadShape((Branch("a", (6, 5), 8, 6),), DIM)])
def test_a_head_wide_enough_starts_as_the_very_ridge(bank, shape):
    features = some_features()
    moments = collect_moments(shape, [features], bank)
    ridge = solve_ridge(shape, moments)[1]
    head = USEHead(shape)
    start_from(head, ridge, moments)
    torch.testing.assert_close(
        segment_vectors(head, features), segment_vectors(ridge, features), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(fold(head).matrix, ridge.matrix, atol=1e-5, rtol=1e-4)


def test_every_parameter_of_a_started_head_can_learn(bank):
    features = some_features()
    moments = collect_moments(WIDE, [features], bank)
    head = USEHead(WIDE)
    start_from(head, solve_ridge(WIDE, moments)[0], moments)
    goal = mean_texts(features, bank)
    (segment_vectors(head, features) - goal).pow(2).sum().backward()
    still = [name for name, p in head.named_parameters() if not bool(p.grad.abs().sum())]
    assert still == []


def test_a_narrow_head_keeps_what_carries_most_and_loses_no_mean(bank):
    features = some_features(400)
    moments = collect_moments(NARROW, [features], bank)
    ridge = solve_ridge(NARROW, moments)[0]
    head = USEHead(NARROW)
    start_from(head, ridge, moments)
    normed = {k: [x[:, None] for x in xs] for k, xs in features.pooled.items()}
    ours = head.project(normed, features.cls)[:, 0]
    whole = ridge.project(normed, features.cls)[:, 0]
    torch.testing.assert_close(ours.mean(0), whole.mean(0), atol=1e-4, rtol=0)
    assert (ours - whole).pow(2).sum() < 0.1 * (whole - whole.mean(0)).pow(2).sum()


def test_nothing_to_fit_is_refused(bank):
    with pytest.raises(InputError, match="0 segments"):
        solve_ridge(NARROW, collect_moments(NARROW, [], bank))
