"""The live recall is that of exact search, and an index that falls short is tuned anew."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.index import Index
from recsys_embed.index.index import EVERY
from serving.lookup import LookupService
from serving.retrieval import shadow as shadows
from serving.retrieval.answering import prepare
from serving.retrieval.asked import Ask, Item, Vectors
from serving.retrieval.recall import MEMORY, Estimate, Recall
from serving.retrieval.retriever import Options
from serving.retrieval.searching import search
from serving.retrieval.shadow import Shadow
from tests.retrieval_serving.planted import Planted
from tests.retrieval_serving.retrieving import near, retrieving

ALL = Options(threads=1, shadow_share=1.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_the_estimate_is_the_mean_of_what_was_measured(pairs: list[tuple[int, int]]) -> None:
    recall, shares = Recall(), list[float]()
    for hits, misses in pairs:
        true, found = np.arange(hits + misses), np.arange(hits)
        recall.add(found, true)
        shares += [hits / (hits + misses)] if len(true) else []
    mean, count = recall.estimate
    assert count == len(shares) <= MEMORY
    assert mean == (pytest.approx(np.mean(shares)) if shares else None)
    recall.forget()
    assert recall.estimate == Estimate(None, 0)


def test_an_exact_index_finds_all_that_exact_search_finds(
    service: LookupService, shop: Planted
) -> None:
    with retrieving(service, options=ALL) as retriever:
        assert retriever.stats("items").recall is None
        for at in range(10):
            near(retriever, shop.vectors[at], 7, where={"field": "price", "lt": 5})
            retriever.search(Ask(Item(int(shop.ids[at])), "items", 7))
            near(retriever, shop.vectors[at], 7, parameters=shadows.Parameters(exact=True))
            retriever.wait()
        info = retriever.stats("items")
        assert (info.recall, info.recall_queries) == (1.0, 20)


def test_an_index_that_finds_half_is_tuned_with_the_queries_asked(
    service: LookupService, shop: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = list[Any]()
    monkeypatch.setattr(Index, "retune", lambda self, queries: tuned.append((self, queries)))
    monkeypatch.setattr(shadows, "ENOUGH", 6)
    with retrieving(service) as retriever:
        shadow, moment = Shadow(1.0), retriever._versions.moment
        for at in range(6):
            ask = Ask(Vectors(shop.vectors[at : at + 1]), "items", 10)
            [found] = search([prepare(moment, ask)])
            half = np.concatenate([found.ids[:5], np.arange(5)])
            assert not tuned
            shadow.offer(found._replace(ids=half))
            shadow.wait()
            if at == 4:
                assert retriever.stats("items").recall == pytest.approx(0.5)
        shadow.close()
        [(index, queries)] = tuned
        assert index is moment["items"].version.live
        np.testing.assert_array_equal(queries, shop.vectors[:6])
        assert retriever.stats("items").recall is None


def test_an_index_learns_what_is_asked_of_it(service: LookupService, shop: Planted) -> None:
    """By that it measures its recall when it folds, and is tuned if it has come without queries."""
    with retrieving(service) as retriever:
        live = retriever._versions.moment["items"].version.live
        for at in range(2 * EVERY):
            near(retriever, shop.vectors[at])
        kept = np.stack(list(live._recent))
    np.testing.assert_array_equal(kept, shop.vectors[[0, EVERY]])


def test_queries_of_versions_that_are_gone_are_forgotten(
    service: LookupService, shop: Planted
) -> None:
    with retrieving(service, options=ALL) as retriever:
        for _ in range(5):
            near(retriever, shop.vectors[0])
            begun = retriever.rebuild("items")
            retriever.wait()
            retriever.activate("items", begun.version)
        near(retriever, shop.vectors[0])
        retriever.wait()
        gc.collect()
        kept = {one.name for one in retriever._versions.kept("items")}
        assert len(kept) == 2 and {one.name for one in retriever._shadow._recent} <= kept


def test_what_comes_too_fast_is_let_go(service: LookupService, shop: Planted) -> None:
    with retrieving(service) as retriever:
        shadow = Shadow(0.0)
        shadow._share = 1.0  # takes samples, but nobody measures them
        ask = Ask(Vectors(shop.vectors[:1]), "items", 10)
        [found] = search([prepare(retriever._versions.moment, ask)])
        for _ in range(3 * shadows.WAITING):
            shadow.offer(found)
        assert shadow._waiting.qsize() == shadows.WAITING
