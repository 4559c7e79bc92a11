"""Probabilities, thresholds and diversity, on answers as they come."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.lookup import LookupService
from serving.retrieval.asked import Ask, Diversity, Vectors
from serving.retrieval.retriever import Retriever
from tests.retrieval_serving.planted import Planted, plant
from tests.retrieval_serving.retrieving import near, retrieving


@pytest.fixture(scope="module")
def relevant(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """The shop with an adapter of a known map: sigmoid(4 max(s, 0) - 2)."""
    return plant(tmp_path_factory.mktemp("relevant"), relevance=True)


@pytest.fixture(scope="module")
def retriever(relevant: Planted) -> Iterator[Retriever]:
    with retrieving(LookupService.open(relevant.path)) as one:
        yield one


@given(user=st.integers(0, 39), least=st.floats(0, 1), both=st.booleans())
def test_probabilities_are_those_of_the_adapter_and_bound_what_comes(
    retriever: Retriever, relevant: Planted, user: int, least: float, both: bool
) -> None:
    vectors = relevant.user_vectors[user : user + 1 + both]
    everything = near(retriever, vectors, 200)
    assert everything.probabilities is not None
    wanted = 1 / (1 + np.exp(2 - 4 * np.maximum(everything.scores.astype(np.float64), 0)))
    np.testing.assert_allclose(everything.probabilities, wanted, atol=1e-6)
    found = near(retriever, vectors, 200, min_probability=least)
    assert found.probabilities is not None
    count = int((everything.probabilities >= least).sum())
    np.testing.assert_array_equal(found.ids, everything.ids[:count])
    np.testing.assert_array_equal(found.probabilities, everything.probabilities[:count])
    assert found.below == 200 - count


@given(user=st.integers(0, 39), k=st.integers(1, 40), most=st.integers(1, 5))
def test_caps_keep_the_best_that_they_allow(
    retriever: Retriever, relevant: Planted, user: int, k: int, most: int
) -> None:
    caps = Diversity(pool=200, caps={"countries": most, "new": 3 * most})
    vectors = relevant.user_vectors[user : user + 1]
    found = near(retriever, vectors, k, diversity=caps, wanted=frozenset({"attributes"}))
    assert found.attributes is not None
    everything = near(retriever, vectors, 200, wanted=frozenset({"attributes"}))
    assert everything.attributes is not None
    taken, expected = Counter[object](), list[int]()
    for id, row in zip(everything.ids.tolist(), everything.attributes, strict=True):
        values = [("countries", one) for one in row.get("countries", ())] + [("new", row["new"])]
        fits = all(taken[v] < caps.caps[v[0]] for v in values)
        if fits and len(expected) < k:
            taken.update(values)
            expected.append(id)
    assert found.ids.tolist() == expected


def test_a_balance_of_relevance_alone_changes_nothing(
    retriever: Retriever, relevant: Planted
) -> None:
    vector = relevant.user_vectors[:1]
    plain = near(retriever, vector, 20)
    same = near(retriever, vector, 20, diversity=Diversity(balance=1.0))
    np.testing.assert_array_equal(plain.ids, same.ids)


@pytest.mark.parametrize("balance", [0.0, 0.3, 0.7])
def test_mmr_chooses_greedily_among_the_pool(
    retriever: Retriever, relevant: Planted, balance: float
) -> None:
    ask = Ask(Vectors(relevant.user_vectors[:1]), "items", 30, wanted=frozenset({"vector"}))
    pool = retriever.search(ask)
    assert pool.vectors is not None
    near_ = pool.vectors.astype(np.float64) @ pool.vectors.T.astype(np.float64)
    chosen = list[int]()
    for _ in range(8):
        worth = [
            balance * float(pool.scores[i])
            - (1 - balance) * (max(near_[i][j] for j in chosen) if chosen else 0)
            for i in range(30)
        ]
        chosen.append(max((i for i in range(30) if i not in chosen), key=lambda i: worth[i]))
    found = near(retriever, relevant.user_vectors[:1], 8, diversity=Diversity(balance, pool=30))
    assert found.ids.tolist() == pool.ids[chosen].tolist()
