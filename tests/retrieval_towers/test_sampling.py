"""Batches hold what a slow look at the same baskets finds, and no loss pushes away own items."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from recsys_embed.retrieval.inputs import Bag
from training.retrieval.losses import SampledSoftmax
from training.retrieval.towers.baskets import Baskets
from training.retrieval.towers.sampling import NegativesFrom, Sampler

ITEMS = 7
BASKETS = st.lists(
    st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=4, unique=True), min_size=1, max_size=6
)


def baskets_of(held: list[list[int]]) -> Baskets:
    offsets = np.cumsum([0, *map(len, held)])
    zeros = np.zeros(len(held), np.int64)
    return Baskets(zeros, zeros, pl.DataFrame(), Bag(np.concatenate(held), offsets))


@given(BASKETS, st.integers(1, 9), st.integers(0, 3), st.booleans(), st.integers(0, 2**32))
def test_an_epoch_has_every_pair_once_with_its_basket_and_item(
    held: list[list[int]], size: int, uniform: int, shuffled: bool, seed: int
) -> None:
    chosen = np.arange(len(held))
    sampler = Sampler(baskets_of(held), chosen, ITEMS, NegativesFrom(uniform=uniform), seed)
    pairs = []
    for batch in sampler.epoch(size, shuffled):
        assert len(batch.own) <= size and len(batch.drawn) == len(batch.own) + uniform
        pairs += zip(batch.baskets[batch.rows.numpy()], batch.items[batch.own.numpy()], strict=True)
        for row, basket in enumerate(batch.baskets):
            assert batch.held[row].tolist() == [item in held[basket] for item in batch.items]
    wanted = [(b, i) for b, own in enumerate(held) for i in own]
    assert pairs == wanted if not shuffled else sorted(pairs) == sorted(wanted)


@given(BASKETS, st.integers(0, 3))
def test_chances_are_shares_of_the_train_part_mixed_with_uniform_ones(
    held: list[list[int]], uniform: int
) -> None:
    sampler = Sampler(
        baskets_of(held), np.arange(len(held)), ITEMS, NegativesFrom(uniform=uniform), 0
    )
    batch = next(sampler.epoch(10**6, shuffled=False))
    flat = [item for own in held for item in own]
    share = uniform / (uniform + len(flat))

    def chance(item: int) -> float:
        known = max(flat.count(item), 0.5) / len(flat)
        return (1 - share) * known + share / ITEMS

    drawn = batch.items[batch.drawn.numpy()]
    np.testing.assert_allclose(batch.log_q.exp(), [chance(i) for i in drawn], rtol=1e-5)
    own = [sum(chance(i) for i in held[b]) for b in batch.baskets]
    np.testing.assert_allclose(batch.excluded_q, own, rtol=1e-5)


def test_items_of_a_basket_have_no_share_among_its_negatives() -> None:
    held = [[0, 1, 2], [2, 3], [4]]
    sampler = Sampler(baskets_of(held), np.arange(3), ITEMS, NegativesFrom(uniform=20), 0)
    batch = next(sampler.epoch(100, shuffled=False))
    scored = batch.scored(torch.randn(len(batch.baskets), len(batch.items)))
    _, logits = SampledSoftmax().logits(scored)
    shares = torch.softmax(logits, dim=1)
    for row, basket in enumerate(batch.baskets):
        own = [item in held[basket] for item in batch.items[batch.drawn.numpy()]]
        assert (
            any(own) and (shares[row][own] == 0).all() and (shares[row][~np.array(own)] > 0).all()
        )


def test_hard_negatives_are_drawn_from_what_was_mined_and_own_items_left_out() -> None:
    held = [[0, 1], [2]]
    sampler = Sampler(baskets_of(held), np.arange(2), ITEMS, NegativesFrom(hard=50), 0)
    mined = np.array([[0, 5], [6, 6]], np.int32)
    batch = next(sampler.epoch(100, shuffled=False, hard=mined))
    scores = torch.arange(float(len(batch.baskets) * len(batch.items))).view(2, -1)
    scored = batch.hard_scored(scores)
    for pair in range(3):
        items = batch.items[batch.hard[pair].numpy()]
        assert set(items) == ({0, 5} if pair < 2 else {6})
        assert scored.excluded[pair].tolist() == [item == 0 for item in items]
        assert torch.equal(scored.negative[pair], scores[batch.rows[pair], batch.hard[pair]])


def test_streamed_chances_come_near_the_shares_of_a_long_stream() -> None:
    rng = np.random.default_rng(0)
    held = [[int(i)] for i in rng.choice(ITEMS, 4000, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])]
    streaming = NegativesFrom(frequency="streaming")
    sampler = Sampler(baskets_of(held), np.arange(len(held)), ITEMS, streaming, 0)
    *_, last = sampler.epoch(64, shuffled=True)
    shares = dict(
        zip(last.items[last.drawn.numpy()].tolist(), last.log_q.exp().tolist(), strict=True)
    )
    assert shares[0] == pytest.approx(0.4, rel=0.15) and shares[1] == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize(
    "values", [{"uniform": -1}, {"band": (5, 5)}, {"band": (-1, 5)}, {"hard_weight": -0.1}]
)
def test_senseless_negatives_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="negatives"):
        NegativesFrom(**values)  # type: ignore[arg-type]
