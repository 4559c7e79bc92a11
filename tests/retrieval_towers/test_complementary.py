"""Dual vectors tell what is bought together from what is bought instead."""

import numpy as np
import pytest

from recsys_embed.errors import ConfigError
from recsys_embed.retrieval.inputs import Bag
from training.retrieval.complementary import ComplementaryFrom, learn_dual

GROUPS, OF_KIND = 5, 4
ITEMS = GROUPS * 2 * OF_KIND  # of each group two kinds, such as printers and their cartridges
KIND = np.arange(ITEMS) // OF_KIND


def planted(baskets: int = 1500) -> Bag:
    """Baskets of one item of each kind of a group: those of one kind are never bought together."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, GROUPS, baskets)
    pairs = rng.integers(0, OF_KIND, (baskets, 2)) + OF_KIND * (2 * group[:, None] + [0, 1])
    return Bag(pairs.ravel(), np.arange(0, 2 * baskets + 1, 2))


def test_substitutes_are_similar_and_what_is_bought_with_an_item_complements_it() -> None:
    config = ComplementaryFrom(dim=16, epochs=10, contexts=2, shared=64, batch_size=512)
    losses: list[float] = []
    dual = learn_dual(planted(), ITEMS, config, hears=lambda _, loss: losses.append(loss))
    alike = dual.inward @ dual.inward.T
    np.fill_diagonal(alike, -np.inf)
    beside = dual.inward @ dual.outward.T
    nearest, bought = np.argsort(-alike, 1)[:, : OF_KIND - 1], np.argsort(-beside, 1)[:, :OF_KIND]
    assert (KIND[nearest] == KIND[:, None]).mean() > 0.95  # by chance 0.08
    assert (KIND[bought] == (KIND ^ 1)[:, None]).mean() > 0.95  # by chance 0.1
    assert losses[-1] < losses[0] / 2


def test_each_item_is_paired_with_all_others_of_its_basket_alike() -> None:
    from training.retrieval.complementary import _pairs

    bag = Bag(np.array([4, 7, 9, 5]), np.array([0, 3, 3, 4]))
    config = ComplementaryFrom(contexts=3000, batch_size=1000)
    pairs = list(_pairs(bag, config, np.random.default_rng(0)))
    ours, others = (np.concatenate(side) for side in zip(*pairs, strict=True))
    assert {len(one) for one, _ in pairs} == {1000} and len(ours) == 9000
    counts = {
        (a, b): int(((ours == a) & (others == b)).sum()) for a in (4, 7, 9) for b in (4, 7, 9)
    }
    for (a, b), count in counts.items():
        assert count == 0 if a == b else 1350 < count < 1650


@pytest.mark.parametrize("lengths", [[], [1], [1, 1, 0]])
def test_baskets_of_one_teach_nothing(lengths: list[int]) -> None:
    bag = Bag(np.arange(sum(lengths)), np.cumsum([0, *lengths]))
    dual = learn_dual(bag, 3, ComplementaryFrom(dim=4, epochs=1))
    assert dual.inward.shape == dual.outward.shape == (3, 4)
    assert not dual.inward.any() and not dual.outward.any()


def test_equal_seeds_give_equal_vectors() -> None:
    config = ComplementaryFrom(dim=4, epochs=1, batch_size=256)
    one, two, other = (learn_dual(planted(200), ITEMS, config, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.inward, two.inward) and np.array_equal(one.outward, two.outward)
    assert not np.array_equal(one.inward, other.inward)


@pytest.mark.parametrize("values", [{"dim": 0}, {"power": 1.5}, {"lr": 0.0}, {"shared": 0}])
def test_senseless_configs_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"complementary.{next(iter(values))}"):
        ComplementaryFrom(**values)  # type: ignore[arg-type]
