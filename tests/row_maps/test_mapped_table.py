"""A table behind a row map against one that does it id by id."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed import SGD, Normal, RowwiseAdagrad, TableConfig, make_table
from recsys_embed.mapped_table import MappedTable
from recsys_embed.row_maps import Collisionless
from recsys_embed.rules import FeatureRule
from recsys_embed.table_types import RowBlock
from tests.reference.mapped_table import ReferenceMappedTable
from tests.reference.pooling import pooled, spread
from tests.row_maps.making import DIM, FEATURES, KNOWN, ROW_MAPS
from tests.table.making import columns

MAPPED = {name: m for name, m in ROW_MAPS.items() if not isinstance(m, Collisionless)}
EVERY_MAP = pytest.mark.parametrize("name", MAPPED)
IDS = st.sampled_from([*KNOWN.tolist(), 5, 6, -1, 2**40])
EIGHTHS = st.integers(-16, 16).map(lambda k: k / 8)
OPTIMIZERS = st.sampled_from([SGD(weight_decay=0.125), RowwiseAdagrad(initial_accumulator=0.25)])
LR = 0.25


def config_of(name: str, optimizer: Any = None) -> TableConfig:
    return TableConfig.of(
        "t",
        DIM,
        optimizer=optimizer or SGD(),
        initializer=Normal(std=0.5),
        row_map=MAPPED[name],
        features=tuple(FeatureRule(feature) for feature in FEATURES),
    )


def assert_close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def assert_same_rows(table: Any, reference: ReferenceMappedTable) -> None:
    held = columns(table)
    assert held["ids"].tolist() == sorted(reference.rows)
    for i, weights, state in zip(held["ids"], held["weights"], held["state"], strict=True):
        assert_close(weights, reference.rows[int(i)])
        assert_close(state, reference.state[int(i)])


@EVERY_MAP
@settings(max_examples=12)
@given(
    batches=st.lists(st.tuples(st.lists(IDS, max_size=8), st.sampled_from(FEATURES)), max_size=3),
    optimizer=OPTIMIZERS,
    seed=st.integers(0, 99),
)
def test_vectors_and_steps_are_those_of_the_reference(
    name: str, batches: list[tuple[list[int], str]], optimizer: Any, seed: int
) -> None:
    config, rng = config_of(name, optimizer), np.random.default_rng(seed)
    table, reference = make_table(config), ReferenceMappedTable(config)
    assert isinstance(table, MappedTable)
    for ids, feature in batches:
        keys = np.array(ids, np.int64)
        expected = reference.vectors(ids, feature)
        assert_close(table.lookup(keys, feature=feature), expected)
        assert_close(
            table.lookup(keys, feature=feature, missing="zeros"),
            reference.vectors(ids, feature, "zeros"),
        )
        found = table.train_lookup(keys, feature=feature)
        assert_close(found.values, expected)
        reference.touch(ids, feature)
        grads = rng.integers(-16, 17, expected.shape).astype(np.float32) / 8
        table.apply_gradients(found.rows, grads, lr=LR)
        reference.step([(ids, feature, grads)], LR)
        assert_same_rows(table, reference)


@st.composite
def bags(draw: Any) -> tuple[list[str], list[list[int]], list[Any], Any]:
    """Features, the ids of each, the offsets of its bags, and weights of all ids or none."""
    features = draw(st.lists(st.sampled_from(FEATURES), min_size=1, max_size=2, unique=True))
    num_bags = draw(st.integers(0, 4))
    sizes = [draw(st.lists(st.integers(0, 3), min_size=num_bags, max_size=num_bags))
             for _ in features]  # fmt: skip
    ids = [draw(st.lists(IDS, min_size=sum(own), max_size=sum(own))) for own in sizes]
    total = sum(map(len, ids))
    weights = draw(st.none() | st.lists(EIGHTHS, min_size=total, max_size=total))
    offsets = [np.cumsum([0, *own]) for own in sizes]
    return features, ids, offsets, None if weights is None else np.array(weights, np.float32)


@EVERY_MAP
@settings(max_examples=12)
@given(
    batches=st.lists(bags(), min_size=1, max_size=2),
    mode=st.sampled_from(["sum", "mean"]),
    optimizer=OPTIMIZERS,
    seed=st.integers(0, 99),
)
def test_pooled_vectors_and_steps_are_those_of_the_reference(
    name: str, batches: list[Any], mode: Any, optimizer: Any, seed: int
) -> None:
    config, rng = config_of(name, optimizer), np.random.default_rng(seed)
    table, reference = make_table(config), ReferenceMappedTable(config)
    assert isinstance(table, MappedTable)
    for features, ids, offsets, weights in batches:
        flat = np.array([i for own in ids for i in own], np.int64)
        begins = np.cumsum([0, *map(len, ids)])
        whole = np.concatenate(
            [[0], *(own[1:] + begin for own, begin in zip(offsets, begins, strict=False))]
        )
        factors = [None if weights is None else weights[a:b] for a, b in pairwise(begins)]

        def expected(
            policy: str, given: Any = (features, ids, offsets, factors)
        ) -> tuple[Any, list[int]]:
            parts = [
                pooled(reference.vectors(own, f, policy), at, mode, w, 1)
                for f, own, at, w in zip(*given, strict=True)
            ]
            return np.concatenate(parts, axis=1), [part.shape[1] for part in parts]

        options = {"mode": mode, "weights": weights}
        for policy in ("initial", "zeros"):
            read = table.lookup_pooled(flat, whole, missing=policy, features=features, **options)
            assert_close(read, expected(policy)[0])
        found = table.train_lookup_pooled(flat, whole, features=features, **options)
        values, widths = expected("initial")
        assert_close(found.values, values)
        grads = rng.integers(-16, 17, values.shape).astype(np.float32) / 8
        table.apply_pooled_gradients(
            found.rows, whole, grads, lr=LR, num_features=len(features), **options
        )
        cut = np.split(grads, np.cumsum(widths)[:-1], axis=1)
        for f, own in zip(features, ids, strict=True):
            reference.touch(own, f)
        reference.step(
            [
                (own, f, spread(g, at, mode, w, 1))
                for f, own, g, at, w in zip(features, ids, cut, offsets, factors, strict=True)
            ],
            LR,
        )
        assert_same_rows(table, reference)


def table_with(config: TableConfig, ids: Any, weights: Any) -> Any:
    """A table whose rows have these weights."""
    table, n = make_table(config), len(ids)
    table.restore_rows(
        RowBlock(
            np.array(ids, np.int64),
            np.array(weights, np.float32),
            np.zeros((n, config.state_width), np.float32),
            np.zeros(n, np.uint32),
            np.ones(n, np.uint32),
            np.zeros(n, np.uint16),
            np.zeros(n, np.uint64),
        )
    )
    return table


@EVERY_MAP
def test_gradients_are_the_slopes_of_the_vectors(name: str, rng: np.random.Generator) -> None:
    """All in eighths: exact, and a vector is at most quadratic in any one float of a row."""
    config, feature = config_of(name), FEATURES[1]
    ids = np.array([3, 10, 5, 3, -1], np.int64)
    row_ids = np.unique(config.row_map.map(ids, feature).rows)
    weights = rng.integers(-8, 9, (len(row_ids), DIM)) / 8
    grads = rng.integers(-4, 5, (len(ids), config.vector_dim(feature))).astype(np.float32) / 4
    table = table_with(config, row_ids, weights)
    table.apply_gradients(table.train_lookup(ids, feature=feature).rows, grads, lr=1.0)

    def loss(changed: Any) -> float:
        read = table_with(config, row_ids, changed).lookup(ids, feature=feature)
        return float((read.astype(np.float64) * grads).sum())

    slopes = np.zeros_like(weights)
    for place in np.ndindex(*weights.shape):
        step = np.zeros_like(weights)
        step[place] = 0.125
        slopes[place] = (loss(weights + step) - loss(weights - step)) / 0.25
    np.testing.assert_array_equal(columns(table)["weights"], weights - slopes)
