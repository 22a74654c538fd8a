"""Visual keys: inner products survive the projection, which is the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedders.keys import KEY_DIM, key_space, keys_of, sign_projection

SIGNS = [
    [-1, -1, 1, -1, -1, -1, 1, 1],
    [-1, 1, 1, 1, -1, 1, 1, 1],
    [1, -1, -1, 1, -1, 1, 1, -1],
]


def test_the_projection_is_fixed_for_ever():
    # Stored keys are compared with new ones: another matrix would make all stores useless.
    signs = np.sign(sign_projection(3)[:, :8]).astype(int).tolist()
    assert signs == SIGNS
    assert np.abs(sign_projection(5)) == pytest.approx(np.full((5, KEY_DIM), KEY_DIM**-0.5))


@given(st.integers(0, 2**32 - 1), st.integers(300, 1200))
def test_cosines_of_keys_are_those_of_the_tokens_to_a_tenth_or_two(seed, width):
    rng = np.random.default_rng(seed)
    tokens = rng.standard_normal((6, width)).astype(np.float32)
    tokens[1:] = 0.7 * tokens[0] + 0.5 * tokens[1:]
    keys = keys_of(tokens)
    assert np.linalg.norm(keys, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    unit = tokens / np.linalg.norm(tokens, axis=1, keepdims=True)
    assert abs(keys @ keys.T - unit @ unit.T).max() < 0.3  # five standard deviations of 1 / 16


def test_a_segment_without_tokens_has_no_key():
    assert not keys_of(np.zeros((2, 40), np.float32)).any()


def test_a_space_is_told_by_all_that_shapes_its_keys_and_not_by_its_name():
    one = key_space("a", {"tower": "x", "block": 3})
    assert key_space("b", {"tower": "x", "block": 3}).id == one.id
    assert key_space("a", {"tower": "x", "block": 2}).id != one.id
    assert one.dim == KEY_DIM
