"""Towers learn who buys what, and what is written on an item stands in for its history."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsys_embed.errors import ConfigError
from tests.retrieval_towers.making import COLOURS, NEW, PER_COLOUR, config, name, values
from tests.retrieval_towers.trained import Trained, train_towers
from training.retrieval.towers.best import best_items
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.training import recommended


def share_of_colour(trained: Trained, k: int, only_new: bool = False) -> float:
    """How many of the k best for the test baskets have the colour of the basket's customer."""
    shop, part = trained.shop, trained.shop.parts.test
    colour = np.array([COLOURS.index(n.split()[0]) for n in shop.catalogue.names])
    best = recommended(trained.towers, shop, part, len(colour))
    if only_new:
        best = np.stack([row[row >= shop.known_items] for row in best])
    wanted = [int(who.split()[1]) for who in shop.baskets.lines["who"][part]]
    return float((colour[best[:, :k]] == np.array(wanted)[:, None]).mean())


def test_towers_recommend_what_customers_of_one_taste_buy(trained: Trained) -> None:
    assert share_of_colour(trained, PER_COLOUR - NEW) > 0.95  # by chance 0.25
    assert [p.validation for p in trained.learned.curve][-1] > 0.3


def test_new_items_are_found_by_their_words(trained: Trained) -> None:
    assert trained.shop.known_items == len(COLOURS) * (PER_COLOUR - NEW)
    assert share_of_colour(trained, NEW, only_new=True) > 0.9  # by chance 0.25


def test_without_an_id_an_item_is_its_contents_alone(trained: Trained) -> None:
    ids = ("never sold", None, name(1, 2))
    features = [{"item": one, "words": name(1, 2), "price": 3.0} for one in ids]
    unknown, none, known = trained.towers.item.vectors(Examples.of(trained.shop.item, features))
    assert torch.allclose(unknown, none, atol=1e-6)
    assert not torch.allclose(known, none, atol=0.01)


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 36, 36), (0.999, 0, 10)])
def test_ids_are_kept_from_the_item_tower_as_often_as_asked(
    log: Path, share: float, least: int, most: int
) -> None:
    given = values(log)
    given["user"]["inputs"]["history"]["table"] = "past"  # else histories admit items as well
    train = {**given["train"], "epochs": 1, "id_dropout": share}
    run = train_towers(config(log, user=given["user"], train=train))
    assert least <= len(run.towers.tables.tables["item"]) <= most


def test_the_best_epoch_is_kept(log: Path) -> None:
    run = train_towers(config(log, train={**values(log)["train"], "epochs": 6, "patience": 2}))
    figures = [point.validation for point in run.learned.curve]
    assert run.learned.validation == max(figures) == figures[run.learned.epoch - 1]
    best = recommended(run.towers, run.shop, run.shop.parts.validation, run.config.k)
    relevant = run.shop.relevant(run.shop.parts.validation)
    hits = [np.isin(best[row], relevant.items[relevant.users == row]) for row in range(len(best))]
    counts = np.bincount(relevant.users)
    assert np.mean([h.sum() / n for h, n in zip(hits, counts, strict=True)]) == pytest.approx(
        run.learned.validation
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"negatives": {"uniform": 16, "hard": 2, "band": [2, 20]}},
        {"negatives": {"frequency": "streaming"}, "learn_temperature": True},
        {"loss": {"kind": "ccl", "margin": 0.2, "negative_weight": 10.0}},
        {"loss": {"kind": "bpr"}},
        {"table": {"dim": 8, "lr": 0.1, "row_map": {"kind": "hashed", "rows": 500}}},
        {"item_input": None, "train": {"batch_size": 64, "epochs": 4, "lr": 1e-2, "id_dropout": 0}},
    ],
)
def test_other_losses_negatives_and_row_maps_learn_it_too(log: Path, changes: Any) -> None:
    assert share_of_colour(train_towers(config(log, **changes)), 5) > 0.8


def test_several_interests_serve_a_customer_of_several_tastes(log: Path) -> None:
    user = {**values(log)["user"], "interests": 3, "hidden": [16]}
    run = train_towers(config(log, user=user))
    part = run.shop.parts.test
    vectors = run.towers.user.vectors(run.shop.users.take(part))
    items = run.towers.item.vectors(run.shop.items)
    assert vectors.shape == (len(part), 3, 8)
    slow = [[max(float(u @ i) for u in us) for i in items] for us in vectors[:3]]
    assert torch.allclose(run.towers.scores(vectors[:3], items), torch.tensor(slow), atol=1e-5)
    assert share_of_colour(run, 5) > 0.8


def test_equal_configs_give_equal_towers(log: Path) -> None:
    one, two = (train_towers(config(log)) for _ in range(2))
    items = [run.towers.item.vectors(run.shop.items) for run in (one, two)]
    assert torch.equal(*items)


def test_rows_expire_by_the_time_of_sales(log: Path) -> None:
    given = values(log)
    given["user"]["inputs"]["customer"]["ttl_days"] = 0.5
    train = {**given["train"], "order": "time", "epochs": 1, "batch_size": 3}  # one basket
    run = train_towers(config(log, user=given["user"], train=train))
    rows = len(run.towers.tables.tables["customer"])
    last = run.shop.baskets.times[run.shop.parts.train[-1]]
    times, users = run.shop.baskets.times[run.shop.parts.train], run.shop.baskets.users
    alive = {u for u, t in zip(users[: len(times)], times, strict=True) if t > last - 43_200}
    assert rows == len(alive) < len(set(users))
    with pytest.raises(ConfigError, match="expire by the time of sales"):
        config(log, user=given["user"])


def test_no_items_are_the_best_of_none() -> None:
    nobody = torch.empty(0, 4)
    assert best_items(lambda u, i: u @ i.T, nobody, torch.ones(3, 4), 2).shape == (0, 2)
