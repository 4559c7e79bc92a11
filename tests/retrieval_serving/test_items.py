"""What is written over HTTP holds: over the trainer, across restarts, and for all who follow."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.delta_log import DirectoryLog, open_log
from recsys_embed.errors import LogUnavailableError
from recsys_embed.hashing import hash_string
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import FeatureError, encode
from serving.lookup import LookupService
from serving.retrieval import items_log
from serving.retrieval.asked import Ask, Item, ItemWrite
from serving.retrieval.errors import NotDurableError
from serving.retrieval.retriever import Options, Retriever
from tests.delta_log.places import Place
from tests.following.publishing import until
from tests.retrieval_serving.planted import ITEM_TOWER, Planted
from tests.retrieval_serving.retrieving import (
    Trainer,
    assert_holds,
    held,
    near,
    retrieving,
    rows_of,
)

NEW = {"item": "RED LAMP", "words": "RED LAMP", "price": 3.0}
NEW_ID = hash_string("RED LAMP")


def vector(seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(8).astype(np.float32)


def embedded(shop: Planted, service: LookupService, features: dict[str, Any]) -> Any:
    """What the shop's item tower makes of features, in numpy."""
    fed = feed(ITEM_TOWER, encode(ITEM_TOWER, [features]), service.tables)
    return shop.towers["item"](fed)[0]


def test_writes_are_found_and_deletions_are_not(service: LookupService, shop: Planted) -> None:
    rng, rows = np.random.default_rng(3), dict[int, Any](rows_of(shop))
    with retrieving(service) as retriever:
        for step in range(60):
            ids = rng.integers(0, 30, rng.integers(1, 5)).tolist()
            if step % 3 == 2:
                written = retriever.delete("items", ids)
                assert written.missing == len(set(ids) - set(rows))
                rows = {id: row for id, row in rows.items() if id not in ids}
            else:
                new = [ItemWrite(id, vector(1000 * step + at)) for at, id in enumerate(ids)]
                written = retriever.upsert("items", new)
                rows |= {one.id or 0: (one.vector, {}) for one in new}
                assert near(retriever, vector(1000 * step + len(ids) - 1), 1).ids[0] == ids[-1]
            assert (written.ids, written.durable, written.entry) == (tuple(ids), False, None)
            assert held(retriever) == set(rows)
        assert_holds(retriever, rows)


def test_features_become_the_vector_and_the_id_that_the_tower_gives(
    service: LookupService, shop: Planted
) -> None:
    with retrieving(service) as retriever:
        written = retriever.upsert("items", [ItemWrite(features=NEW, attributes={"price": 3.0})])
        assert written.ids == (NEW_ID,)
        query = embedded(shop, service, NEW)
        found = near(retriever, query, 1, wanted=frozenset({"attributes"}))
        assert (found.ids.tolist(), found.names) == ([NEW_ID], ["RED LAMP"])
        assert found.attributes == [{"price": 3.0, "name": "RED LAMP"}]
        assert found.scores[0] > 1 - 1e-5


def test_many_by_features_are_embedded_as_one_by_one_and_the_bad_one_is_named(
    service: LookupService, shop: Planted
) -> None:
    words = [" ".join(shop.names[n : n + 1 + n % 4]) for n in range(19)]
    many = [{"item": f"NEW {n}", "words": one, "price": n / 9} for n, one in enumerate(words)]
    with retrieving(service) as retriever:
        writes = [ItemWrite(features=features) for features in many]
        written = retriever.upsert("items", writes)
        for features, id in zip(many, written.ids, strict=True):
            found = near(retriever, embedded(shop, service, features), 1)
            assert (found.ids.tolist(), bool(found.scores[0] > 1 - 1e-5)) == ([id], True)
        writes[7] = ItemWrite(features={"item": "NEW 7", "price": "dear"})
        with pytest.raises(FeatureError, match=r"^items\.7: price"):
            retriever.upsert("items", writes)


def test_attributes_stay_unless_they_are_given(service: LookupService, shop: Planted) -> None:
    id = int(shop.ids[3])
    with retrieving(service) as retriever:
        for given, has in ((None, shop.attributes[3]), ({"price": 9.0}, {"price": 9.0}), ({}, {})):
            retriever.upsert("items", [ItemWrite(id, vector(1), attributes=given)])
            found = near(retriever, vector(1), 1, wanted=frozenset({"attributes"}))
            assert (found.ids.tolist(), found.attributes) == ([id], [has])


def test_a_deletion_holds_against_the_trainer_and_an_upsert_ends_it(shop: Planted) -> None:
    trainer, id = Trainer(shop.path), int(shop.ids[3])
    with retrieving(trainer.service) as retriever:
        retriever.delete("items", [id])
        trainer.tells(retriever, {id: vector(1)})
        assert id not in held(retriever)
        retriever.upsert("items", [ItemWrite(id, vector(2))])
        assert near(retriever, vector(2), 1).ids.tolist() == [id]
        trainer.tells(retriever, {id: vector(3)})
        assert near(retriever, vector(3), 1).ids.tolist() == [id]


@pytest.mark.parametrize("relation", ["similar", "complementary"])
@pytest.mark.parametrize("place", ["none", "directory"])
def test_what_is_deleted_does_not_come_by_relations_either(
    relation: str, place: str, service: LookupService, shop: Planted, tmp_path: Path
) -> None:
    by = Item(int(shop.ids[7]))
    log = None if place == "none" else lambda: DirectoryLog(tmp_path / "items")
    ask = Ask(by, "items", k=10, relation=relation)
    with retrieving(service, log and log()) as retriever:
        gone = retriever.search(ask).ids[:4].tolist()
        all_ids = retriever.search(replace(ask, k=500)).ids.tolist()
        retriever.delete("items", gone)
        left = [id for id in all_ids if id not in gone]
        assert retriever.search(ask).ids.tolist() == left[:10]
        assert retriever.search(replace(ask, k=500)).ids.tolist() == left
        own = retriever.search(Ask(by, relation, k=500))
        assert set(gone) <= set(own.ids.tolist()), "the index itself was told of no deletion"
    with retrieving(service, log and log()) as retriever:
        expected = all_ids if log is None else left
        assert retriever.search(replace(ask, k=500)).ids.tolist() == expected
        retriever.upsert("items", [ItemWrite(gone[0], vector(1))])
        assert gone[0] in retriever.search(ask).ids.tolist()


def test_an_upsert_holds_until_the_trainer_changes_the_item(shop: Planted) -> None:
    trainer, id, other = Trainer(shop.path), int(shop.ids[3]), int(shop.ids[4])
    with retrieving(trainer.service) as retriever:
        retriever.upsert("items", [ItemWrite(id, vector(1), attributes={"price": 4.0})])
        for said in ({"vectors": {other: vector(9)}}, {"gone": [other]}):
            trainer.tells(retriever, **said)
            assert near(retriever, vector(1), 1).ids.tolist() == [id]
        trainer.tells(retriever, {id: vector(2)})
        found = near(retriever, vector(2), 1, wanted=frozenset({"attributes"}))
        assert (found.ids.tolist(), found.attributes) == ([id], [{"price": 4.0}])
        assert found.scores[0] > 0.999
        trainer.tells(retriever, attributes={id: {"price": 5.0}})
        found = near(retriever, vector(2), 1, wanted=frozenset({"attributes"}))
        assert (found.ids.tolist(), found.attributes) == ([id], [{"price": 5.0}])


def test_deltas_bring_items_take_them_and_name_their_entry(shop: Planted) -> None:
    trainer, rows = Trainer(shop.path), dict[int, Any](rows_of(shop))
    rng = np.random.default_rng(5)
    with retrieving(trainer.service) as retriever:
        for step in range(20):
            known = sorted(rows)
            gone = rng.choice(known, 3, replace=False).tolist()
            new = {int(id): vector(step * 100 + int(id)) for id in rng.integers(0, 90, 4)}
            attributes = {id: {"price": float(step)} for id in new}
            delta = trainer.says(
                new, gone=[id for id in gone if id not in new], attributes=attributes
            )
            retriever.heed(trainer.service, [delta])
            rows = {id: row for id, row in rows.items() if id not in gone}
            rows |= {id: (row, attributes[id]) for id, row in new.items()}
            assert_holds(retriever, rows)
            found = near(retriever, vector(0), 99, where={"field": "price", "eq": step})
            assert set(found.ids.tolist()) >= set(new)
            assert found.snapshot_version.endswith(f":{step + 1}")


def test_a_newer_snapshot_of_the_same_towers_is_taken_as_it_is(shop: Planted) -> None:
    trainer = Trainer(shop.path)
    with retrieving(trainer.service) as retriever:
        retriever.delete("items", [int(shop.ids[0])])
        trainer.tells(retriever, {5: vector(5)}, gone=[int(shop.ids[1])])
        version = retriever.stats("items").version
        attributes = {6: {"price": 1.0}, int(shop.ids[2]): {"price": 77.0}}
        Trainer(shop.path).tells(retriever, {6: vector(6)}, attributes=attributes)
        rows = {**rows_of(shop), 6: (vector(6), {})}
        del rows[int(shop.ids[0])]
        assert_holds(retriever, rows)
        found = near(retriever, vector(6), 1, where={"field": "price", "eq": 1})
        assert found.ids.tolist() == [6]
        found = near(retriever, vector(6), 1, where={"field": "price", "eq": 77})
        assert found.ids.tolist() == [int(shop.ids[2])]
        assert retriever.stats("items").version == version


def test_a_log_brings_writes_to_others_and_back_after_a_restart(
    place: Place, service: LookupService, shop: Planted
) -> None:
    gone, where = int(shop.ids[0]), place.new()
    with retrieving(service, open_log(where)) as one, retrieving(service, open_log(where)) as other:
        written = one.upsert("items", [ItemWrite(features=NEW), ItemWrite(7, vector(7))])
        assert (written.durable, written.entry) == (True, 1)
        until(lambda: {NEW_ID, 7} <= held(other))
        assert other.delete("items", [gone, 7]).missing == 0
        until(lambda: not {gone, 7} & held(one))
        assert held(one) == held(other) == set(rows_of(shop)) - {gone} | {NEW_ID}
    with retrieving(service, open_log(where)) as again:
        assert held(again) == set(rows_of(shop)) - {gone} | {NEW_ID}
        written = again.upsert("items", [ItemWrite(gone, vector(1))])
        assert written.entry == 3
        assert near(again, vector(1), 1).ids.tolist() == [gone]


def test_many_who_write_at_once_lose_nothing(place: Place, service: LookupService) -> None:
    where = place.new()
    with retrieving(service, open_log(where)) as one, retrieving(service, open_log(where)) as other:
        with ThreadPoolExecutor(8) as pool:
            writers = [one, other] * 20
            entries = list(
                pool.map(
                    lambda n: writers[n].upsert("items", [ItemWrite(n, vector(n))]).entry, range(40)
                )
            )
        until(lambda: set(range(40)) <= held(one) & held(other))
        assert len(set(entries)) <= 40
        both = [near(r, vector(n), 1).ids.tolist() for r in (one, other) for n in range(40)]
        assert both == [[n] for n in range(40)] * 2


def test_a_log_read_twice_is_read_once(
    tmp_path: Path, service: LookupService, shop: Planted
) -> None:
    log = DirectoryLog(tmp_path)
    with retrieving(service, log) as retriever:
        retriever.upsert("items", [ItemWrite(1, vector(1)), ItemWrite(2, vector(2))])
        retriever.delete("items", [1, int(shop.ids[0])])
        retriever.upsert("items", [ItemWrite(1, vector(3))])
        before = held(retriever)
        items = retriever._items
        assert items is not None
        for number in (0, 99):  # as if it had not been heard, or had been longer
            items._number = number
            until(lambda: items.number == 3)
            assert held(retriever) == before
            assert near(retriever, vector(3), 1).ids.tolist() == [1]


def test_a_log_whose_words_are_mostly_said_over_is_shortened(
    place: Place, service: LookupService, shop: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, gone = place.new(), int(shop.ids[0])
    monkeypatch.setattr(items_log, "LEAST", 10)
    with retrieving(service, open_log(where)) as one, retrieving(service, open_log(where)) as other:
        assert other._items is not None
        monkeypatch.setattr(other._items, "_hear", lambda is_past=False: None)  # sleeps
        one.delete("items", [gone])
        one.upsert("items", [ItemWrite(3, vector(3)), ItemWrite(features=NEW)])
        for at in range(20):
            one.upsert("items", [ItemWrite(at % 3, vector(at), attributes={"price": float(at)})])
        head = open_log(where).head()
        assert 0 < head.trimmed < head.number < 30
        expected = set(rows_of(shop)) - {gone} | {0, 1, 2, 3, NEW_ID}
        monkeypatch.undo()
        until(lambda: held(other) == expected)
        assert one.upsert("items", [ItemWrite(9, vector(9))]).entry == head.number + 1
        until(lambda: 9 in held(other))
        for retriever in (one, other):
            for id, seed in ((0, 18), (1, 19), (2, 17), (3, 3), (9, 9)):
                assert near(retriever, vector(seed), 1).ids.tolist() == [id]
    with retrieving(service, open_log(where)) as again:
        assert held(again) == expected | {9}
        found = near(again, vector(19), 1, where={"field": "price", "eq": 19})
        assert found.ids.tolist() == [1]


def test_a_log_that_was_lost_is_begun_anew_with_what_was_in_it_forgotten(
    tmp_path: Path, service: LookupService, shop: Planted
) -> None:
    with retrieving(service, DirectoryLog(tmp_path / "log")) as retriever:
        retriever.upsert("items", [ItemWrite(1, vector(1))])
        shutil.rmtree(tmp_path / "log")
        until(lambda: held(retriever) == set(rows_of(shop)))
        assert retriever.upsert("items", [ItemWrite(2, vector(2))]).entry == 1


def test_workers_without_a_log_refuse_writes(service: LookupService, shop: Planted) -> None:
    options = Options(threads=1, shadow_share=0.0, is_alone=False)
    with retrieving(service, options=options) as retriever:
        with pytest.raises(NotDurableError, match="--items"):
            retriever.upsert("items", [ItemWrite(1, vector(1))])
        with pytest.raises(NotDurableError):
            retriever.delete("items", [1])
        with pytest.raises(NotDurableError):
            retriever.rebuild("items")
        assert retriever.stats("items").durable is None
        assert held(retriever) == set(rows_of(shop))


def test_a_write_that_cannot_be_made_durable_is_refused_and_not_done(
    tmp_path: Path, service: LookupService, shop: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = DirectoryLog(tmp_path)

    def refuse(*_: Any, **__: Any) -> Any:
        raise LogUnavailableError("the disk is full")

    with retrieving(service, log) as retriever:
        monkeypatch.setattr(log, "open_writer", refuse)
        with pytest.raises(LogUnavailableError, match="full"):
            retriever.upsert("items", [ItemWrite(1, vector(1))])
        assert held(retriever) == set(rows_of(shop))
        monkeypatch.undo()
        assert retriever.upsert("items", [ItemWrite(1, vector(1))]).entry == 1
        assert 1 in held(retriever)


def test_versions_are_commanded_by_the_log_for_all(
    place: Place, service: LookupService, caplog: pytest.LogCaptureFixture
) -> None:
    where = place.new()
    with retrieving(service, open_log(where)) as one, retrieving(service, open_log(where)) as other:
        version = one.rebuild("items").version

        def states(retriever: Retriever) -> dict[str, str]:
            return {v.version: v.state for v in retriever.stats("items").versions}

        for each in (one, other):
            until(lambda each=each: states(each).get(version) == "ready")
        one.activate("items")
        until(lambda: other.stats("items").version == version)
        other.rollback("items")
        until(lambda: one.stats("items").version != version)
    with retrieving(service, open_log(where)) as again:
        assert len(again.stats("items").versions) == 1
        assert not caplog.records
        assert again._items is not None
        again._items._number = 99  # as if the log had been longer
        until(lambda: again._items.number == 3)
        assert len(again.stats("items").versions) == 1
