"""Every engine keeps the promises of the protocol; what is its own comes after."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recsys_embed.index import IndexConfig, Parameters
from recsys_embed.index.attributes import Columns, Schema
from recsys_embed.index.building import _made
from recsys_embed.index.engines.exact import ExactEngine
from recsys_embed.index.engines.lists import Lists, share_above
from recsys_embed.index.engines.protocol import Engine, Reach
from recsys_embed.index.items import Items
from tests.index.making import clustered

COUNT, DIM = 400, 16
CONFIGS = {
    "exact": IndexConfig(kind="exact"),
    "ivf": IndexConfig(kind="ivf"),
    "ivf fp16": IndexConfig(kind="ivf", codec="fp16"),
    "ivf int8": IndexConfig(kind="ivf", codec="int8"),
    "ivf projected": IndexConfig(kind="ivf", projected_dim=12),
    "hnsw": IndexConfig(kind="hnsw"),
    "hnsw int8": IndexConfig(kind="hnsw", codec="int8"),
}
# how far an engine's scores may be from those of the vectors, relative to the largest
SLACK = {"fp16": 2e-3, "int8": 3e-2, "projected": 0.7}


def made(name: str, vectors: np.ndarray) -> Engine:
    config = CONFIGS[name]
    if name == "exact":
        columns = Columns(Schema())
        columns.append(None, len(vectors))
        return ExactEngine(Items(np.arange(len(vectors)), vectors, columns), len(vectors))
    return _made(config.kind, vectors, vectors[:50], config)


def widest(engine: Engine) -> Parameters:
    return engine.with_steps(engine.most_steps)


@pytest.fixture(params=list(CONFIGS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_wide_search_finds_what_scores_best(name: str, rng: np.random.Generator) -> None:
    vectors, queries = clustered(rng, COUNT), clustered(rng, 9)
    engine = made(name, vectors)
    slots, scores = engine.search(queries, 20, None, widest(engine))
    truth = queries @ vectors.T
    slack = SLACK.get(name.split()[-1], 1e-5) * np.abs(truth).max()
    assert engine.scores_are_exact == (slack < 1e-3)
    assert (np.diff(scores, axis=1) <= 0).all()
    np.testing.assert_allclose(scores, np.take_along_axis(truth, slots, 1), atol=slack)
    least = -np.sort(-truth, axis=1)[:, 19:20]
    assert (np.take_along_axis(truth, slots, 1) >= least - 2 * slack).all()
    assert all(len(set(row)) == 20 for row in slots.tolist())


@pytest.mark.parametrize("share", [0.0, 0.05, 0.6, 1.0])
def test_only_what_is_chosen_is_found(name: str, share: float, rng: np.random.Generator) -> None:
    vectors, queries = clustered(rng, COUNT), clustered(rng, 9)
    engine, mask = made(name, vectors), rng.random(COUNT) < share
    for parameters in (widest(engine), Parameters()):
        slots, scores = engine.search(queries, 50, engine.chosen(mask), parameters)
        assert mask[slots[slots >= 0]].all()
        assert (np.isneginf(scores) == (slots < 0)).all()
        assert (np.diff((slots < 0).astype(int), axis=1) >= 0).all(), "holes between hits"
    if engine.kind != "hnsw":  # a graph may not get to what lies among that which is not chosen
        everything = engine.search(queries, 50, engine.chosen(mask), widest(engine))
        assert ((everything.slots >= 0).sum(axis=1) == min(50, mask.sum())).all()


def test_folding_leaves_the_engine_as_it_was(name: str, rng: np.random.Generator) -> None:
    vectors, queries = clustered(rng, COUNT + 60), clustered(rng, 9)
    vectors[COUNT:] = (vectors[:60] + vectors[60:120]) / 2  # int8 clips what lies far outside
    engine = made(name, vectors[:COUNT])
    if name == "exact":
        engine.items.append(np.arange(1000, 1060), vectors[COUNT:], None)  # type: ignore[attr-defined]
    before = engine.search(queries, 30, None, widest(engine))
    slots = np.arange(COUNT + 10, COUNT + 60) if name != "exact" else np.arange(COUNT, COUNT + 60)
    keep = np.arange(COUNT) % 3 > 0
    grown = engine.folded(slots, vectors[slots], keep)
    after = engine.search(queries, 30, None, widest(engine))
    assert (after.slots == before.slots).all() and (after.scores == before.scores).all()
    found = grown.search(vectors[slots], 1, None, widest(grown))
    own = np.einsum("nd,nd->n", vectors[slots], vectors[slots])
    slack = SLACK.get(name.split()[-1], 1e-5) * np.abs(own).max() + 1e-4
    assert (found.scores[:, 0] >= own - slack).all(), "a new vector is found, or a better one"
    everything = grown.search(queries, COUNT + 60, None, widest(grown)).slots
    assert set(slots.tolist()) <= set(everything.ravel().tolist()) or grown.kind == "hnsw"
    only = np.zeros(COUNT + 60, bool)
    only[slots[-5:]] = True
    chosen = grown.search(queries, 5, grown.chosen(only), widest(grown)).slots
    assert set(chosen.ravel().tolist()) == set(slots[-5:].tolist())
    if grown.forgets:
        assert not set(np.flatnonzero(~keep).tolist()) & set(everything.ravel().tolist())


def test_more_than_there_is_comes_with_an_end(name: str, rng: np.random.Generator) -> None:
    engine = made(name, clustered(rng, 5))
    slots, scores = engine.search(clustered(rng, 2), 8, None, widest(engine))
    assert (slots[:, 5:] == -1).all() and np.isneginf(scores[:, 5:]).all()
    assert [sorted(row[:5]) for row in slots.tolist()] == [list(range(5))] * 2
    assert engine.search(clustered(rng, 2)[:0], 8, None, Parameters()).slots.shape == (0, 8)


def test_tuning_changes_what_it_says_alone(name: str, rng: np.random.Generator) -> None:
    engine = made(name, clustered(rng, COUNT))
    before = engine.parameters, engine.reach
    other = engine.tuned(engine.with_steps(3), Reach(2.0, 0.05))
    assert (engine.parameters, engine.reach) == before
    if not engine.is_exact:
        assert (other.parameters, other.reach) == (engine.with_steps(3), Reach(2.0, 0.05))
    assert other.num_bytes == engine.num_bytes


def test_a_search_among_chosen_slots_goes_where_they_are(rng: np.random.Generator) -> None:
    """All that may be found lies far from the query, behind lists that hold none of it."""
    vectors = clustered(rng, 4000, clusters=30)
    engine = made("ivf", vectors)
    queries = vectors[:40]
    far = vectors @ queries.mean(axis=0)
    mask = far < np.quantile(far, 0.3)
    truth = np.sort(np.where(mask, queries @ vectors.T, -np.inf), axis=1)[:, -10:][:, ::-1]
    found = engine.search(queries, 10, engine.chosen(mask), Parameters())
    assert (found.scores >= truth[:, -1:] - 1e-4).mean() > 0.97


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats(-4, 4, width=32)
    ),
    st.integers(0, 30),
)
def test_moments_of_lists_are_those_of_their_vectors(vectors: Any, cut: int) -> None:
    lists = (np.abs(vectors[:, 0] * 7).astype(np.int64)) % 4
    first, second = slice(0, cut), slice(cut, None)
    slots = np.arange(len(vectors))
    both = Lists.empty(4, 3).plus(slots[first], vectors[first], lists[first])
    both = both.plus(slots[second], vectors[second], lists[second])
    for number in range(4):
        own = vectors[lists == number]
        mean = own.mean(axis=0) if len(own) else np.zeros(3)
        spread = np.sqrt(((own - mean) ** 2).mean()) if len(own) else 0.0
        np.testing.assert_allclose(both.means()[number], mean, atol=1e-5)
        np.testing.assert_allclose(both.spreads()[number], spread, atol=2e-3)
    mask = slots % 2 == 0
    assert both.held(mask).tolist() == np.bincount(lists[mask], minlength=4).tolist()
    assert both.keeping(mask).held(np.ones(len(slots), bool)).tolist() == both.held(mask).tolist()


@given(st.floats(-6, 6))
def test_the_tail_of_a_normal_distribution_is_near_enough(distance: float) -> None:
    exact = 0.5 * math.erfc(distance / math.sqrt(2))
    near = float(share_above(np.array([distance]))[0])
    assert abs(near - exact) <= 0.007
    if 0 <= distance <= 4:
        assert 5 / 6 <= near / exact <= 7 / 6
