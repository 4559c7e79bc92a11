"""A request is of one version throughout: towers, tables and index swap together, and back."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed.delta_log import DirectoryLog
from recsys_embed.index import Index
from recsys_embed.retrieval.bridge_validation import validated_bridge
from recsys_embed.retrieval.description import array_name
from serving.lookup import LookupService
from serving.retrieval import version as versions
from serving.retrieval.asked import Ask, ItemWrite, User, UserFeatures, Vectors
from serving.retrieval.errors import (
    BuildingError,
    NothingToRollBackError,
    UnknownIndexError,
    UnknownVersionError,
    VersionMismatchError,
)
from serving.retrieval.retriever import Options, Retriever
from serving.retrieval.spelling import Said
from serving.retrieval.versions import Versions
from tests.reference.retrieval import best
from tests.retrieval_serving.planted import Planted, plant
from tests.retrieval_serving.retrieving import QUIET, amended, held, near, retrieving, rows_of


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Towers of version "two", that turn everything, over fewer items."""
    return plant(tmp_path_factory.mktemp("two"), version="two", items=150)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Towers of version "two" over the very same shop."""
    return plant(tmp_path_factory.mktemp("turned"), version="two")


@pytest.fixture(scope="module")
def bridged(turned: Planted, shop: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with a bridge to version "one"."""
    root = tmp_path_factory.mktemp("bridged")
    queries = shop.user_vectors, turned.user_vectors
    told, bridge = validated_bridge("one", *queries, shop.vectors, "procrustes", "cosine", k=20)
    assert told.recall == 1

    def change(retrieval: dict[str, Any], dense: dict[str, Any]) -> None:
        spelled = {"to": "one", "kind": told.kind, "recall": 0.95, "k": told.k, "queries": 10}
        retrieval["indexes"]["items"]["bridges"] = [spelled]
        for name, array in bridge.arrays().items():
            dense[array_name("items", "bridges/one", name)] = array

    return amended(turned.path, root, change)


def expected_of(shop: Planted) -> Any:
    """The scores of all items for each user, best first, (40, n)."""
    queries, items = (
        vectors.astype(np.float64) / np.linalg.norm(vectors, axis=1, keepdims=True)
        for vectors in (shop.user_vectors, shop.vectors)
    )
    return -np.sort(-(queries @ items.T), axis=1)


def assert_of_one_version(
    retriever: Retriever, user: int, shops: dict[str, Planted], expected: dict[str, Any]
) -> str:
    """What comes for features and for an id is what the named version gives, and nothing else."""
    for by in (UserFeatures(shops["one"].user_features[user]), User(user + 1)):
        found = retriever.search(Ask(by, "items", 20))
        shop = shops[found.tower_version]
        wanted = expected[found.tower_version][user, :20]
        np.testing.assert_allclose(found.scores, wanted, atol=2e-6)
        assert set(found.ids.tolist()) <= set(shop.ids.tolist())
        assert (found.query_version, found.bridged) == (found.tower_version, False)
        assert found.searched == len(shop.ids)
    return found.index_version


def test_no_answer_mixes_versions_while_towers_swap_fifty_times(
    shop: Planted, two: Planted, service: LookupService
) -> None:
    other, shops = LookupService.open(two.path), {"one": shop, "two": two}
    expected = {name: expected_of(one) for name, one in shops.items()}
    seen, stop, failures = set[str](), threading.Event(), list[BaseException]()
    # an item that one shop lacks makes another history: only users who are the same in both
    users = [u for u, one in enumerate(shop.user_features) if one == two.user_features[u]]
    with retrieving(service) as retriever:

        def ask(seed: int) -> None:
            rng = np.random.default_rng(seed)
            try:
                while not stop.wait(0.001):
                    user = int(rng.choice(users))
                    seen.add(assert_of_one_version(retriever, user, shops, expected))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(2)]
        for thread in threads:
            thread.start()
        for swap in range(50):
            retriever.heed(other if swap % 2 == 0 else service)
            retriever.wait()
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        assert len(seen) > 1
        assert retriever.stats("items").tower_version == "one"


def test_the_old_version_serves_until_the_new_one_is_built(
    shop: Planted, two: Planted, service: LookupService, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, make = threading.Event(), versions.Version.make

    def slowly(self: Any, words: Any) -> Any:
        made = make(self, words)
        if self.index == "items":
            go_on.wait(20)
        return made

    with retrieving(service) as retriever:
        monkeypatch.setattr(versions.Version, "make", slowly)
        retriever.heed(LookupService.open(two.path))
        assert_of_one_version(retriever, 0, {"one": shop}, {"one": expected_of(shop)})
        assert [v.state for v in retriever.stats("items").versions] == ["building", "active"]
        retriever.upsert("items", [ItemWrite(features={"item": "RED LAMP", "words": "RED LAMP"})])
        retriever.delete("items", [int(shop.ids[0])])
        with pytest.raises(BuildingError):
            retriever.rebuild("items")
        go_on.set()
        retriever.wait()
        info = retriever.stats("items")
        assert (info.tower_version, [v.state for v in info.versions]) == (
            "two",
            ["active", "previous"],
        )
        lamp = {one for one in held(retriever) if one not in set(two.ids.tolist())}
        assert len(lamp) == 1
        assert held(retriever) == set(two.ids.tolist()) - {int(shop.ids[0])} | lamp
        retriever.rollback("items")
        assert held(retriever) == set(shop.ids.tolist()) - {int(shop.ids[0])} | lamp


def test_items_by_features_are_embedded_anew_and_vectors_are_left_out(
    two: Planted, service: LookupService
) -> None:
    features = two.item_features[3] | {"item": "A NEW ONE"}
    with retrieving(service) as retriever:
        [lamp] = retriever.upsert("items", [ItemWrite(features=features)]).ids
        vector = np.ones(8, np.float32)
        retriever.upsert("items", [ItemWrite(7, vector), ItemWrite(9, vector)])
        before = retriever.search(Ask(Vectors(_vector(retriever, lamp)), "items", 1))
        assert before.ids.tolist() == [lamp]
        retriever.heed(LookupService.open(two.path))
        retriever.wait()
        assert lamp in held(retriever)
        assert 7 not in held(retriever)
        assert 9 not in held(retriever)
        assert retriever.stats("items").unfit == 2
        retriever.delete("items", [7])
        retriever.upsert("items", [ItemWrite(8, vector)])
        assert retriever.stats("items").unfit == 1
        with retrieving(LookupService.open(two.path)) as direct:
            direct.upsert("items", [ItemWrite(features=features)])
            np.testing.assert_allclose(_vector(retriever, lamp), _vector(direct, lamp), atol=1e-6)
        retriever.rollback("items")
        assert retriever.stats("items").unfit == 1
        assert {7, 8, 9} & held(retriever) == {9}


def _vector(retriever: Retriever, id: int) -> Any:
    ask = Ask(Vectors(np.ones((1, 8), np.float32)), "items", 5000, wanted=frozenset({"vector"}))
    found = retriever.search(ask)
    assert found.vectors is not None
    return found.vectors[found.ids.tolist().index(id)][None]


def test_a_new_tower_asks_the_old_index_over_a_validated_bridge(
    shop: Planted, turned: Planted, bridged: Path, service: LookupService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    go_on, make = threading.Event(), versions.Version.make
    monkeypatch.setattr(
        versions.Version, "make", lambda self, words: (go_on.wait(20), make(self, words))[1]
    )
    go_on.set()
    with retrieving(service) as retriever:
        go_on.clear()
        retriever.heed(LookupService.open(bridged))
        ask = Ask(UserFeatures(turned.user_features[1]), "items", 10)
        found = retriever.search(ask)
        assert (found.bridged, found.query_version, found.tower_version) == (True, "two", "one")
        expected = best(rows_of(shop), shop.user_vectors[1:2], 10)
        np.testing.assert_allclose(found.scores, [score for _, score in expected], atol=1e-5)
        assert retriever.stats("items").bridged_from == "two"
        of_two = Vectors(turned.user_vectors[1:2], "two")
        assert retriever.search(Ask(of_two, "items", 10)).ids.tolist() == found.ids.tolist()
        go_on.set()
        retriever.wait()
        found = retriever.search(ask)
        assert (found.bridged, found.tower_version) == (False, "two")
        retriever.rollback("items")
        found = retriever.search(ask)
        assert (found.bridged, found.query_version, found.tower_version) == (False, "one", "one")
        assert retriever.search(Ask(of_two, "items", 10)).bridged


def test_a_bridge_that_does_too_badly_does_not_serve(
    turned: Planted, bridged: Path, service: LookupService
) -> None:
    options = Options(threads=1, shadow_share=0.0, bridge_recall=0.96)
    for limit in (options, QUIET):
        with retrieving(service, options=limit) as retriever:
            retriever.heed(LookupService.open(bridged))
            retriever.wait()
            retriever.rollback("items")
            ask = Ask(Vectors(turned.user_vectors[:1], "two"), "items", 10)
            if limit is QUIET:
                assert retriever.search(ask).bridged
            else:
                with pytest.raises(VersionMismatchError, match="'two'"):
                    retriever.search(ask)


def test_vectors_of_another_tower_are_refused(service: LookupService, two: Planted) -> None:
    with retrieving(service) as retriever:
        with pytest.raises(VersionMismatchError, match="'one'.*'two'"):
            retriever.search(Ask(Vectors(two.user_vectors[:1], "two"), "items"))
        with pytest.raises(VersionMismatchError, match="'one'.*'two'"):
            retriever.upsert("items", [ItemWrite(1, np.ones(8, np.float32))], "two")
        retriever.search(Ask(Vectors(two.user_vectors[:1], "one"), "items"))


def test_rebuilt_versions_serve_when_activated_and_the_one_before_comes_back(
    service: LookupService, shop: Planted
) -> None:
    with retrieving(service) as retriever:
        first = retriever.stats("items").version
        with pytest.raises(NothingToRollBackError):
            retriever.rollback("items")
        with pytest.raises(UnknownVersionError, match=first):
            retriever.activate("items", "items@nowhere.1")
        with pytest.raises(UnknownVersionError):
            retriever.activate("items")
        second = retriever.rebuild("items").version
        retriever.wait()
        retriever.delete("items", [int(shop.ids[0])])
        assert near(retriever, shop.vectors[1]).index_version == first
        assert retriever.activate("items").version == second
        assert held(retriever) == set(shop.ids[1:].tolist())
        assert near(retriever, shop.vectors[1]).index_version == second
        retriever.upsert("items", [ItemWrite(5, shop.vectors[1])])
        assert retriever.rollback("items").version == first
        assert held(retriever) == set(shop.ids[1:].tolist()) | {5}
        assert retriever.activate("items", second).version == second


def test_a_snapshot_that_cannot_be_served_leaves_the_old_one_and_says_why(
    shop: Planted, service: LookupService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(told: dict[str, Any], dense: dict[str, Any]) -> None:
        told["tower_version"] = "three"
        dense["towers/user.onnx"] = dense["towers/user.onnx"][:100]

    broken = LookupService.open(amended(shop.path, tmp_path, change))
    with retrieving(service) as retriever:
        for _ in range(2):  # as entries behind it come
            retriever.heed(broken)
        assert len(caplog.records) == 1
        assert "tower 'user' cannot be run" in (retriever.stats("items").refused or "")
        assert_of_one_version(retriever, 2, {"one": shop}, {"one": expected_of(shop)})
        retriever.heed(LookupService.open(shop.path))
        assert retriever.stats("items").refused is None


def test_only_the_last_of_several_snapshots_is_built_to_serve(
    two: Planted, service: LookupService, tmp_path: Path
) -> None:
    three = plant(tmp_path, version="three", items=50)
    with retrieving(service) as retriever:
        for one in [LookupService.open(path) for path in (three.path, two.path)]:
            retriever.heed(one)
        retriever.wait()
        assert held(retriever) == set(two.ids.tolist())
        found = [(one.state, one.tower_version) for one in retriever.stats("items").versions]
        assert found == [("active", "two"), ("previous", "one")]


def without_similar(told: dict[str, Any], dense: dict[str, Any]) -> None:
    told["indexes"]["alike"] = told["indexes"].pop("similar")
    del told["indexes"]["items"]["relations"]["similar"]
    for name in [name for name in dense if name.startswith("indexes/similar/")]:
        dense[name.replace("similar", "alike")] = dense.pop(name)


def test_an_index_that_is_described_no_more_goes_and_another_comes(
    two: Planted, service: LookupService, tmp_path: Path
) -> None:
    with retrieving(service) as retriever:
        retriever.heed(LookupService.open(amended(two.path, tmp_path, without_similar)))
        retriever.wait()
        assert retriever.stats("items").refused is None
        assert retriever.indexes() == ["alike", "complementary", "items"]
        with pytest.raises(UnknownIndexError, match="alike"):
            retriever.stats("similar")


@pytest.mark.parametrize("fails", [False, True])
def test_a_version_whose_index_has_gone_meanwhile_is_closed_again(
    fails: bool,
    two: Planted,
    service: LookupService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on, make, build = threading.Event(), versions.Version.make, Versions._build
    built, closed, wrong = list[Any](), list[Any](), list[Exception]()

    def slowly(self: Any, words: Any) -> Any:
        go_on.wait(20)
        if fails and self.index == "similar":
            raise MemoryError("too large")
        built.append(make(self, words))
        return built[-1]

    def watched(self: Versions, wanted: Any) -> None:
        try:
            build(self, wanted)
        except Exception as error:
            wrong.append(error)

    with retrieving(service) as retriever:
        monkeypatch.setattr(versions.Version, "make", slowly)
        monkeypatch.setattr(Versions, "_build", watched)
        monkeypatch.setattr(Index, "close", lambda self: closed.append(self))
        retriever.heed(LookupService.open(amended(two.path, tmp_path, without_similar)))
        retriever.rebuild("similar")
        go_on.set()
        retriever.wait()
        assert not wrong
        assert retriever.indexes() == ["alike", "complementary", "items"]
        assert fails or built[-1] in closed
        assert not set(map(id, built[:3])) & set(map(id, closed)), "what serves goes on"
        with pytest.raises(UnknownIndexError, match="similar"):
            retriever._versions.apply(Said("similar", {}, "rebuild"), None)
        monkeypatch.undo()


@pytest.mark.parametrize("seed", range(2))
def test_what_was_upserted_is_found_and_what_was_deleted_is_not_whatever_happens(
    seed: int, shop: Planted, two: Planted, service: LookupService, tmp_path: Path
) -> None:
    """Across swaps of towers, rebuilt versions, rollbacks, restarts and replays of the log."""
    rng, services = np.random.default_rng(seed), [service, LookupService.open(two.path)]
    present, gone, at = set[int](), set[int](), 0
    log = tmp_path / "log"
    with ExitStack() as stack:
        retriever = stack.enter_context(retrieving(services[0], DirectoryLog(log)))
        for step in range(30):
            match rng.choice(["upsert", "delete", "swap", "rebuild", "rollback", "restart"]):
                case "upsert":
                    features = {"item": f"NEW {rng.integers(6)}", "words": f"NEW {step}"}
                    [id] = retriever.upsert("items", [ItemWrite(features=features)]).ids
                    present, gone = present | {id}, gone - {id}
                case "delete":
                    id = int(rng.choice([*present, *shop.ids[:6].tolist()]))
                    retriever.delete("items", [id])
                    present, gone = present - {id}, gone | {id}
                case "swap":
                    at = 1 - at
                    retriever.heed(services[at])
                    retriever.wait()
                case "rebuild":
                    retriever.rebuild("items")
                    retriever.wait()
                    retriever.activate("items")
                case "rollback" if len(retriever.stats("items").versions) > 1:
                    retriever.rollback("items")
                case "restart":
                    stack.close()
                    retriever = stack.enter_context(retrieving(services[at], DirectoryLog(log)))
            now = held(retriever)
            assert present <= now
            assert not gone & now
