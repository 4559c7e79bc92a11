"""Blocks of users against one user at a time, and their draws against the chances told."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.retrieval.making import planted
from training.retrieval.by_user import PairsByUser, scored_by_user
from training.retrieval.interactions import Pairs
from training.retrieval.losses import SampledSoftmax


def some_pairs(seed: int, users: int, items: int, density: float = 0.4) -> Pairs:
    rng = np.random.default_rng(seed)
    mask = rng.random((users, items)) < density
    mask[0, 0] = True
    shuffled = rng.permutation(np.argwhere(mask))
    return Pairs(shuffled[:, 0].copy(), shuffled[:, 1].copy())


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 12))
def test_blocks_are_each_user_s_pairs(seed: int, users: int, items: int, number: int) -> None:
    pairs = some_pairs(seed, users, items)
    by_user = PairsByUser(pairs, items, uniform=0.5)
    rng = np.random.default_rng(seed)
    chosen = torch.from_numpy(rng.permutation(int(pairs.users.max()) + 1))
    block = by_user.of(chosen)
    for row, user in enumerate(chosen.tolist()):
        own = sorted(pairs.items[pairs.users == user].tolist())
        assert sorted(block.items[block.rows == row].tolist()) == own
        assert block.numbers[row] == len(own)
    vectors = torch.randn(users, 3), torch.randn(items, 3)
    drawn = torch.from_numpy(rng.integers(0, items, number))
    scored = scored_by_user(vectors, block, drawn, by_user.log_q)
    scores = vectors[0] @ vectors[1].T
    torch.testing.assert_close(scored.positive, scores[chosen[block.rows], block.items])
    torch.testing.assert_close(scored.negative, scores[chosen][:, drawn])
    own = [set(pairs.items[pairs.users == user].tolist()) for user in chosen.tolist()]
    assert scored.excluded.tolist() == [[i in has for i in drawn.tolist()] for has in own]
    chances = [float(by_user.log_q[list(has)].exp().sum()) for has in own]
    assert scored.excluded_q is not None
    assert scored.excluded_q.tolist() == pytest.approx(chances, abs=1e-6)


@pytest.mark.parametrize("uniform", [0.0, 0.25, 1.0])
def test_items_are_drawn_with_the_chances_told(uniform: float) -> None:
    pairs = some_pairs(1, 20, 40, 0.2)
    by_user, generator = PairsByUser(pairs, 40, uniform), torch.Generator().manual_seed(0)
    drawn = torch.cat([by_user.draw(20, generator) for _ in range(3000)])
    share = torch.bincount(drawn, minlength=40) / len(drawn)
    torch.testing.assert_close(share, by_user.log_q.exp(), atol=4e-3, rtol=0)
    assert len(by_user.draw(1000, generator)) == 40 * (uniform == 1) or uniform < 1


def test_with_every_item_drawn_it_is_the_full_softmax_without_the_user_s_other_items() -> None:
    pairs = planted().train
    by_user = PairsByUser(pairs, 48, uniform=1.0)
    block = by_user.of(torch.arange(40))
    vectors = torch.randn(40, 5).double(), torch.randn(48, 5).double()
    drawn = by_user.draw(48, torch.Generator())
    losses = SampledSoftmax(0.5)(scored_by_user(vectors, block, drawn, by_user.log_q))
    scores = (vectors[0] @ vectors[1].T / 0.5)[block.rows]
    mask = torch.zeros(40, 48, dtype=torch.bool)
    mask[block.rows, block.items] = True
    others = mask[block.rows].clone()
    others[torch.arange(len(others)), block.items] = False
    full = torch.log_softmax(scores.masked_fill(others, -torch.inf), 1)
    expected = -full[torch.arange(len(others)), block.items]
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-5)
