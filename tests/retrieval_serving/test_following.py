"""A server that follows a log and is asked: an entry's items are found with the entry."""

from pathlib import Path
from typing import Any

import numpy as np

from recsys_embed import CollisionlessTable
from recsys_embed.delta_log import Base, open_log
from recsys_embed.deltas import Delta, encode
from recsys_embed.snapshot import open_snapshot, write_snapshot
from serving.retrieval.asked import Ask, ItemWrite, Vectors
from serving.settings import Settings
from serving.state import State
from tests.delta_log.places import Place
from tests.following.publishing import until
from tests.retrieval_serving.planted import Planted, plant
from tests.retrieval_serving.retrieving import LINEAGE, amended, near


class Publisher:
    """A trainer of a shop: publishes changes of its item vectors to a log."""

    def __init__(self, shop: Planted, where: str, root: Path, lineage: str = LINEAGE) -> None:
        self.snapshot, self.root, self.lineage = open_snapshot(shop.path), root, lineage
        self.tables: dict[str, CollisionlessTable] = {
            name: table.restore() for name, table in self.snapshot.tables.items()
        }
        self.number, self.cursors = 0, {name: one.seq for name, one in self.tables.items()}
        for table in self.tables.values():
            table.track_changes()
        self.log = open_log(where)
        base = Base(0, str(self.save()))
        self.writer = self.log.open_writer(lineage, base=base, wait_s=5, take_over=True)

    def save(self) -> Path:
        extra = {**self.snapshot.extra, "log": {"lineage": self.lineage, "number": self.number}}
        return write_snapshot(self.root, self.tables, dense=dict(self.snapshot.dense), extra=extra)

    def publish(self, vectors: dict[int, Any]) -> None:
        table = self.tables["item_vector"]
        table.assign(np.array(list(vectors), np.int64), np.stack(list(vectors.values())))
        self.number += 1
        with table.changes(self.cursors["item_vector"]) as changes:
            said = {"item_vector": changes}
            delta = Delta.of(said, lineage=self.lineage, number=self.number)
            self.cursors["item_vector"] = changes.seq
        self.writer.append(self.number, self.number - 1, encode(delta))


def vector(seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(8).astype(np.float32)


def test_entries_reach_the_index_and_so_does_a_trainer_that_begins_anew(
    place: Place, shop: Planted, tmp_path: Path
) -> None:
    where = place.new()
    publisher = Publisher(shop, where, tmp_path / "one")
    publisher.publish({1: vector(1)})
    state = State(Settings(follow=where, shadow_share=0.0))
    assert state.follower is not None
    state.follower.start()
    try:
        retriever = until(lambda: state.service and state.retriever)
        found = near(retriever, vector(1), 1)
        assert (found.ids.tolist(), found.snapshot_version) == ([1], f"{LINEAGE}:1")
        retriever.upsert("items", [ItemWrite(2, vector(20))])
        retriever.delete("items", [1])
        for number in range(2, 8):
            publisher.publish({1: vector(3), 100 + number: vector(number)})
            if number == 4:
                publisher.writer.trim(0, Base(4, str(publisher.save())))
            until(lambda number=number: _entry(retriever) == number)
            assert near(retriever, vector(number), 1).ids.tolist() == [100 + number]
            assert state.service is not None
            assert state.service.version == f"{LINEAGE}:{number}"
        ids = near(retriever, vector(3), 1000).ids.tolist()
        assert 1 not in ids
        assert 2 in ids
        two = plant(tmp_path / "two", version="two", items=50)
        lineage = LINEAGE.replace("5", "6")
        publisher.writer.close()
        Publisher(two, where, tmp_path / "begun", lineage).publish({3: vector(9)})
        until(lambda: retriever.stats("items").tower_version == "two")
        until(lambda: near(retriever, vector(9), 1).snapshot_version == f"{lineage}:1")
        found = near(retriever, vector(9), 1000)
        assert found.ids[0] == 3
        assert set(found.ids.tolist()) == set(two.ids.tolist()) | {3}
    finally:
        state.follower.stop()
        state.end()


def test_a_follower_outlives_a_snapshot_whose_retrieval_cannot_be_served(
    place: Place, shop: Planted, tmp_path: Path
) -> None:
    where = place.new()

    def change(told: dict[str, Any], dense: dict[str, Any]) -> None:
        told["indexes"]["items"]["vectors"] = "item_vectr"

    log = {"lineage": LINEAGE, "number": 0}
    broken = amended(shop.path, tmp_path / "broken", change, log=log)
    state = State(Settings(follow=where, snapshot=broken, shadow_share=0.0))
    follower = state.follower
    assert follower is not None
    follower.start()
    try:
        until(lambda: follower.standing.reason is not None)
        assert state.service is None
        Publisher(shop, where, tmp_path / "one").publish({1: vector(1)})
        retriever = until(lambda: state.service and state.retriever)
        assert near(retriever, vector(1), 1).ids.tolist() == [1]
    finally:
        follower.stop()
        state.end()


def _entry(retriever: Any) -> int:
    ask = Ask(Vectors(np.ones((1, 8), np.float32)), "items", 1)
    return int(retriever.search(ask).snapshot_version.partition(":")[2])
