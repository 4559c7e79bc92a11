"""A follower of the log holds what the trainer holds: vectors, attributes, new and gone items."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_embed.delta_log import open_log
from recsys_embed.deltas import Delta, decode
from recsys_embed.errors import InputError
from recsys_embed.index.attributes import Schema, values_of
from recsys_embed.retrieval.description import IndexDescription, arrays_under, read
from recsys_embed.snapshot import open_snapshot
from recsys_embed.table import CollisionlessTable
from tests.retrieval_towers.making import COLOURS, NEW, PER_COLOUR, config
from training.retrieval.export import Bundle, ItemIndex, Vectors
from training.retrieval.towers.bundle import bundle_of
from training.retrieval.towers.learning import Learner
from training.retrieval.towers.live import Live, Lived
from training.retrieval.towers.publishing import Entry, Publishing
from training.retrieval.towers.sampling import Sampler
from training.retrieval.towers.shop import Shop, open_shop
from training.retrieval.towers.training import TrainedTowers, make_towers, train_towers

LIVE = {"baskets": 16, "every_s": 0.0, "gone_days": 1.0, "tolerance": 0.0}


class Followed:
    """What a follower made of a log."""

    def __init__(self, root: Path, shop: Shop, trained: TrainedTowers, lived: Lived) -> None:
        self.shop, self.trained, self.lived = shop, trained, lived
        snapshot = open_snapshot(root / "snapshot")
        self.told = read(snapshot.extra)
        self.tables: dict[str, CollisionlessTable] = {
            name: table.restore() for name, table in snapshot.tables.items()
        }
        assert self.told is not None
        schema = Schema(self.told.indexes["items"].attributes)  # type: ignore[arg-type]
        self.attributes: dict[int, dict[str, object]] = {}
        self._learn(snapshot.dense, schema)
        self.deltas: list[Delta] = []
        entry = snapshot.extra["log"]
        for found in open_log(root / "log").read(entry["number"], lineage=entry["lineage"]):
            delta = decode(found.data)
            for name, part in delta.tables.items():
                self.tables[name].evict(part.tombstones)
                self.tables[name].assign(part.ids, part.weights)
            self._learn(delta.dense, schema)
            self.deltas.append(delta)

    def _learn(self, dense: object, schema: Schema) -> None:
        ids = dense["indexes/items/ids"]  # type: ignore[index]
        values = values_of(arrays_under(dense, "items", "attributes"), schema)  # type: ignore[arg-type]
        for at, item in enumerate(ids.tolist()):
            self.attributes[item] = {name: of[at] for name, of in values.items()}


@pytest.fixture(scope="module")
def followed(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    root = tmp_path_factory.mktemp("live")
    chosen = config(log, live=LIVE)
    shop = open_shop(chosen)
    trained = train_towers(chosen, shop)
    begin = len(shop.parts.train)
    bundle = bundle_of(chosen, shop, trained.towers, until=begin)
    entries: list[Entry] = []
    with Publishing(open_log(root / "log"), root / "snapshot", bundle, chosen) as publishing:
        lived = Live(chosen, shop, trained.learner, publishing, begin).run(entries.append)
    assert [entry.number for entry in entries] == list(range(1, lived.entries + 1))
    return Followed(root, shop, trained, lived)


def test_the_base_knows_nothing_of_what_comes(followed: Followed, log: Path) -> None:
    known = followed.shop.known_items
    assert known == len(COLOURS) * (PER_COLOUR - NEW)
    first = followed.deltas[0]
    assert followed.lived.baskets == len(followed.shop.baskets.times) - len(
        followed.shop.parts.train
    )
    assert followed.lived.entries == len(followed.deltas) == -(-followed.lived.baskets // 16)
    assert first.number == 1 and set(first.tables) >= {"item_vector", "user_vector", "item"}


def test_vectors_that_are_followed_are_those_of_the_trained_towers(followed: Followed) -> None:
    shop, towers = followed.shop, followed.trained.towers
    wanted = towers.item.vectors(shop.items).numpy()
    alive = followed.tables["item_vector"].contains(shop.catalogue.ids)
    held = followed.tables["item_vector"].lookup(shop.catalogue.ids[alive], missing="error")
    np.testing.assert_allclose(held, wanted[alive], atol=1e-6)
    new = shop.catalogue.ids[shop.known_items :]
    assert len(new) == len(COLOURS) * NEW and alive[shop.known_items :].any()


def test_items_unsold_for_long_are_taken_away(followed: Followed) -> None:
    shop = followed.shop
    last = {i: 0 for i in range(len(shop.catalogue.names))}
    baskets, items = shop.baskets.pairs(np.arange(len(shop.baskets.times)))
    for basket, item in zip(baskets.tolist(), items.tolist(), strict=True):
        last[item] = int(shop.baskets.times[basket])
    recent = shop.baskets.times[-1] - 86_400
    wanted = [last[i] > recent for i in range(len(last))]
    assert followed.tables["item_vector"].contains(shop.catalogue.ids).tolist() == wanted
    assert 0 < sum(wanted) < len(wanted)


def test_attributes_are_as_of_the_last_sale(followed: Followed) -> None:
    wanted = followed.shop.catalogue.attributes()
    for at, item in enumerate(followed.shop.catalogue.ids.tolist()):
        told = followed.attributes[item]
        assert told["price"] == wanted["price"][at] and told["name"] == wanted["name"][at]
        assert set(told["countries"]) == set(wanted["countries"][at])  # type: ignore[call-overload]


def test_rows_that_towers_read_are_followed_bit_for_bit(followed: Followed) -> None:
    for name, table in followed.trained.towers.tables.tables.items():
        ids = np.concatenate([*table.ids()])
        assert np.array_equal(followed.tables[name].lookup(ids), table.lookup(ids))


def test_each_basket_is_asked_before_it_is_learned(followed: Followed) -> None:
    assert 0.3 < followed.lived.recall <= 1.0  # at random 5 / 48


def test_what_is_not_due_when_the_log_of_sales_ends_is_told_then(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.retrieval.towers.bundle._onnx", lambda *side: b"no file")
    chosen = config(log, live={**LIVE, "every_s": 1e9})
    shop = open_shop(chosen)
    trained, begin = train_towers(chosen, shop), len(shop.parts.train)
    bundle = bundle_of(chosen, shop, trained.towers, until=begin)
    place, entries = open_log(tmp_path / "log"), list[Entry]()
    with Publishing(place, tmp_path / "snapshot", bundle, chosen) as publishing:
        Live(chosen, shop, trained.learner, publishing, begin).run(entries.append)
    assert [entry.number for entry in entries] == [1] and place.head().number == 1
    assert entries[0].new == len(shop.catalogue.names) - shop.known_items


def test_baskets_of_one_moment_are_told_together(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sales that are known to the hour: one that brings an item is not the last of its hour."""
    monkeypatch.setattr("training.retrieval.towers.bundle._onnx", lambda *side: b"no file")
    hours = pl.col("when").dt.truncate("4h")
    pl.read_parquet(log).with_columns(hours).write_parquet(tmp_path / "hours.parquet")
    chosen = config(tmp_path / "hours.parquet", live={**LIVE, "baskets": 1})
    shop = open_shop(chosen)
    towers, begin = make_towers(chosen, shop), len(shop.parts.train)
    sampler = Sampler(shop.baskets, shop.parts.train, shop.known_items, chosen.negatives, 0)
    learner = Learner(towers, shop.users, shop.items, sampler, shop.baskets.times, chosen)
    bundle = bundle_of(chosen, shop, towers, until=begin)
    entries = list[Entry]()
    with Publishing(open_log(tmp_path / "log"), tmp_path / "snap", bundle, chosen) as publishing:
        lived = Live(chosen, shop, learner, publishing, begin).run(entries.append)
    moments = np.unique(shop.baskets.times[begin:])
    assert len(moments) < lived.baskets == len(shop.baskets.times) - begin
    assert lived.entries == len(moments)
    assert sum(entry.new for entry in entries) == len(COLOURS) * NEW


def test_a_log_of_another_run_is_not_begun_anew(log: Path, tmp_path: Path) -> None:
    chosen, place = config(log), open_log(tmp_path / "log")
    vectors = Vectors(np.arange(2), np.ones((2, 4), np.float32))
    index = ItemIndex(IndexDescription("item_vector", "cosine"), vectors)
    bundle = Bundle({}, {}, {"items": index}, tower_version="one")
    with Publishing(place, tmp_path / "one", bundle, chosen):
        pass
    with pytest.raises(InputError, match="begin it anew"):
        Publishing(place, tmp_path / "two", bundle, chosen)
    assert not (tmp_path / "two").exists()
    with Publishing(place, tmp_path / "two", bundle, chosen, overwrite=True) as publishing:
        assert place.head().base.snapshot == str(publishing.snapshot.resolve())
