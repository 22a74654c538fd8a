"""The USE head: the formula, its folding, and that pooling and projecting commute."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.embedders.head import (
    PAPER,
    Branch,
    HeadShape,
    USEHead,
    fold,
    normalise,
    vit_branch,
)
from usearch.errors import ModelError


def random_head(shape, seed=0):
    torch.manual_seed(seed)
    head = USEHead(shape).eval()
    with torch.no_grad():
        for name, p in head.named_parameters():
            if "norm" in name or "scales" in name:
                p.add_(torch.randn_like(p) * 0.3)
    return head


def random_tokens(shape, patches, seed=0):
    """Raw tokens with the outlier channels that real backbones have, and class tokens."""
    g = torch.Generator().manual_seed(seed)
    tokens, cls = {}, {}
    for b in shape.branches:
        tokens[b.name] = []
        for width in b.widths:
            x = torch.randn(patches, width, generator=g)
            x[:, 0] += 30
            tokens[b.name].append(x)
        cls[b.name] = torch.randn(b.cls, generator=g)
    return tokens, cls


def random_pooling(segments, patches, seed=0):
    g = torch.Generator().manual_seed(seed)
    w = torch.rand(segments, patches, generator=g) ** 4
    return w / w.sum(1, keepdim=True)


SMALL = HeadShape((vit_branch("clip", 3, 16), vit_branch("dino", 2, 12)), 8)
SHAPES = [
    SMALL,
    HeadShape((vit_branch("clip", 3, 16),), 8),
    HeadShape((vit_branch("dino", 2, 12),), 8),
    HeadShape((vit_branch("clip", 3, 16, cls=False), vit_branch("dino", 2, 12, cls=False)), 8),
    HeadShape((Branch("stages", (8, 16, 24), 10, 5),), 8),
]
IDS = ["both", "clip only", "dino only", "no class tokens", "stages of different widths"]


def test_forward_is_the_formula_of_the_paper():
    head = random_head(SMALL)
    tokens, cls = random_tokens(SMALL, 7)
    merged = {}
    for b in SMALL.branches:
        part = head.branches[b.name]
        merged[b.name] = sum(
            part.scales[i] * block.linear(block.norm(x))
            for i, (block, x) in enumerate(zip(part.blocks, tokens[b.name], strict=True))
        )
    z = torch.cat(
        [merged["clip"], cls["clip"].expand(7, -1), merged["dino"], cls["dino"].expand(7, -1)], 1
    )
    torch.testing.assert_close(head(tokens, cls), head.linear(z))


def test_block_scales_start_as_a_mean():
    head = USEHead(SMALL)
    assert head.branches["clip"].scales.tolist() == pytest.approx([1 / 3] * 3)
    assert head.branches["dino"].scales.tolist() == pytest.approx([1 / 2] * 2)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_pooled_then_projected_is_projected_then_pooled(shape):
    head = random_head(shape).double()
    tokens, cls = random_tokens(shape, 30)
    tokens = {k: [x.double() for x in v] for k, v in tokens.items()}
    cls = {k: v.double() for k, v in cls.items()}
    pooling = random_pooling(6, 30).double()
    after = pooling @ head(tokens, cls)
    normed = {
        k: [pooling @ torch.nn.functional.layer_norm(x, x.shape[-1:], eps=1e-5) for x in v]
        for k, v in tokens.items()
    }
    torch.testing.assert_close(head.project(normed, cls), after, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_folded_is_unfolded(shape):
    head = random_head(shape)
    tokens, cls = random_tokens(shape, 30)
    pooling = random_pooling(6, 30)
    folded = fold(head)
    assert folded.matrix.shape == (shape.dim, shape.columns())
    assert folded.matrix.dtype == folded.offset.dtype == torch.float32
    normed = {k: [pooling @ normalise(x) for x in v] for k, v in tokens.items()}
    torch.testing.assert_close(
        folded.project(normed, cls), pooling @ head(tokens, cls), rtol=1e-4, atol=1e-5
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), patches=st.integers(1, 40), n=st.integers(1, 8))
def test_both_shortcuts_hold_for_any_tokens_and_any_pooling(seed, patches, n):
    head = random_head(SMALL, seed)
    tokens, cls = random_tokens(SMALL, patches, seed)
    pooling = random_pooling(n, patches, seed)
    want = pooling @ head(tokens, cls)
    normed = {k: [pooling @ normalise(x) for x in v] for k, v in tokens.items()}
    torch.testing.assert_close(head.project(normed, cls), want, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fold(head).project(normed, cls), want, rtol=1e-4, atol=1e-4)


def test_a_batch_dimension_is_kept():
    head = random_head(SMALL)
    one, cls_one = random_tokens(SMALL, 5, seed=1)
    two, cls_two = random_tokens(SMALL, 5, seed=2)
    both = {k: [torch.stack(p) for p in zip(one[k], two[k], strict=True)] for k in one}
    cls = {k: torch.stack([cls_one[k], cls_two[k]]) for k in cls_one}
    torch.testing.assert_close(head(both, cls)[1], head(two, cls_two))


def test_the_paper_s_head_has_35_million_parameters():
    with torch.device("meta"):
        head = USEHead(PAPER)
    assert sum(p.numel() for p in head.parameters()) == 34_695_966
    per_lln = sum(p.numel() for p in head.branches["clip"].blocks[0].parameters())
    assert per_lln == 2 * 1024 + 1024 * 1024 + 1024
    assert 30 * per_lln + 30 + (4 * 1024 * 768 + 768) == 34_695_966


@pytest.mark.slow
def test_the_shortcuts_hold_at_the_paper_s_shapes():
    head = random_head(PAPER)
    tokens, cls = random_tokens(PAPER, 256)
    pooling = random_pooling(20, 256)
    folded = fold(head)
    assert folded.matrix.shape == (768, 32_768)
    with torch.no_grad():
        want = pooling @ head(tokens, cls)
        normed = {k: [pooling @ normalise(x) for x in v] for k, v in tokens.items()}
        for got in (head.project(normed, cls), folded.project(normed, cls)):
            assert (got - want).norm() / want.norm() < 1e-4
            cosine = torch.nn.functional.cosine_similarity(got, want)
            assert cosine.min() > 1 - 1e-6


def test_a_head_refuses_the_wrong_number_of_blocks():
    head = random_head(SMALL)
    tokens, cls = random_tokens(SMALL, 4)
    tokens["dino"].pop()
    with pytest.raises(ValueError, match="dino: tokens of 1 blocks, the head has 2"):
        head(tokens, cls)


def test_gradients_reach_every_parameter():
    head = USEHead(SMALL)
    tokens, cls = random_tokens(SMALL, 5)
    normed = {k: [normalise(x) for x in v] for k, v in tokens.items()}
    head.project(normed, cls).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_a_shape_survives_json_and_an_impossible_one_is_refused():
    for shape in SHAPES:
        assert HeadShape.from_json(shape.to_json()) == shape
    with pytest.raises(ModelError, match="does not describe a USE head"):
        HeadShape.from_json({"dim": 8})
    nothing = dataclasses.replace(SMALL, branches=())
    with pytest.raises(ModelError, match="impossible"):
        HeadShape.from_json(nothing.to_json())


def test_normalise_is_a_layer_norm_without_parameters():
    x = torch.from_numpy(np.random.default_rng(0).normal(3, 5, (4, 10)).astype(np.float32))
    y = normalise(x)
    torch.testing.assert_close(y.mean(1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(1, unbiased=False), torch.ones(4), atol=1e-4, rtol=0)
