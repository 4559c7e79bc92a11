"""A group of tables gives, bit for bit, what calling one table after the other gives."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import recsys_embed
from recsys_embed import (
    FTRL,
    Adagrad,
    Adam,
    CollisionlessTable,
    ConfigError,
    FeatureRule,
    Hashed,
    InputError,
    MissingIdError,
    Segment,
    TableConfig,
    make_table,
)
from recsys_embed.table_group import Member, TableGroup
from recsys_embed.tables_in_turn import make_group
from tests.table.making import counters, dump

FEATURES = (FeatureRule("x", threshold=2), FeatureRule("y"))
CONFIGS = (
    TableConfig.of("wide", 5, features=FEATURES, optimizer=Adagrad()),
    TableConfig.of("mean", 3, optimizer=Adam()),
    TableConfig("parts", (Segment(1, FTRL(l1=0.01)), Segment(2, Adagrad()))),
    TableConfig.of("last", 2),
)
MODES = ("sum", "mean", "sum", "mean")
RATES = (0.1, 0.2, (0.3, 0.4), 0.5)
WIDTH = 2 * 5 + 3 + 3 + 2


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = recsys_embed.num_threads()
    recsys_embed.set_num_threads(request.param)
    yield request.param
    recsys_embed.set_num_threads(before)


def members(configs: tuple[TableConfig, ...] = CONFIGS) -> list[Member]:
    return [
        Member(CollisionlessTable(c), [f.name for f in c.features], mode)  # type: ignore[arg-type]
        for c, mode in zip(configs, MODES, strict=False)
    ]


class Batch:
    """Bags of four features, ids from few; "mean" reads the second again, "last" the last."""

    def __init__(self, rng: np.random.Generator, num_bags: int, longest: int) -> None:
        lengths = rng.integers(0, longest + 1, 4 * num_bags)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.ids = rng.integers(-20, 20, self.offsets[-1])
        self.weights = rng.normal(size=len(self.ids)).astype(np.float32)
        self.starts = np.array([0, 1, 2, 3]) * num_bags
        self.num_bags = num_bags
        self.grads = rng.normal(size=(num_bags, WIDTH)).astype(np.float32)

    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        return self.ids, self.offsets, self.starts


def alone(
    tables: list[Member], batch: Batch, weighted: bool, training: bool
) -> NDArray[np.float32]:
    """The same calls, table by table."""
    outs, column, calls = [], 0, []
    for member, start in zip(tables, batch.starts.tolist(), strict=True):
        count = len(member.features)
        at = batch.offsets[start : start + count * batch.num_bags + 1]
        part = slice(at[0], at[-1])
        common: dict[str, Any] = {
            "mode": member.mode,
            "weights": batch.weights[part] if weighted else None,
        }
        if training:
            found = member.table.train_lookup_pooled(
                batch.ids[part], at - at[0], features=member.features, **common
            )
            outs.append(found.values)
            width = count * member.table.config.dim
            grads = batch.grads[:, column : column + width]
            calls.append((member, found.rows, at - at[0], grads, count, common))
            column += width
        else:
            outs.append(
                member.table.lookup_pooled(
                    batch.ids[part], at - at[0], num_features=count, **common
                )
            )
    for (member, rows, at, grads, count, common), lr in zip(calls, RATES, strict=False):
        member.table.apply_pooled_gradients(rows, at, grads, lr=lr, num_features=count, **common)
    return np.concatenate(outs, axis=1)


def test_many_steps_of_every_kind_of_table_are_those_of_the_tables_alone(threads: int) -> None:
    @given(
        seed=st.integers(0, 2**32),
        sizes=st.lists(st.sampled_from([0, 1, 3, 700]), min_size=1, max_size=4),
        weighted=st.booleans(),
    )
    def claim(seed: int, sizes: list[int], weighted: bool) -> None:
        rng = np.random.default_rng(seed)
        grouped, single = members(), members()
        group = TableGroup(grouped)
        for num_bags in sizes:
            batch = Batch(rng, num_bags, longest=4)
            weights = batch.weights if weighted else None
            found = group.train_lookup_pooled(*batch.arrays(), num_bags=num_bags, weights=weights)
            group.apply_pooled_gradients(found.rows, batch.grads, lr=RATES)
            expected = alone(single, batch, weighted, training=True)
            assert found.values.tobytes() == expected.tobytes()
            read = group.lookup_pooled(*batch.arrays(), num_bags=num_bags, weights=weights)
            assert read.tobytes() == alone(single, batch, weighted, training=False).tobytes()
        for a, b in zip(grouped, single, strict=True):
            assert dump(a.table) == dump(b.table)
            assert counters(a.table) == counters(b.table)

    claim()


def test_a_table_far_larger_than_the_others_gives_the_same_bits(threads: int) -> None:
    grouped, single = members(CONFIGS[:2]), members(CONFIGS[:2])
    rng = np.random.default_rng(0)
    batch = Batch(rng, 4000, longest=4)
    batch.starts = np.array([0, 3 * 4000])  # two features of 16,000 ids beside one of 8,000
    batch.offsets[3 * 4000 + 5 :] = batch.offsets[3 * 4000 + 5]  # now one of ten
    batch.grads = batch.grads[:, :13].copy()
    found = TableGroup(grouped).train_lookup_pooled(*batch.arrays(), num_bags=4000)
    assert found.values.tobytes() == alone(single, batch, False, training=True).tobytes()


def test_rows_lost_are_told_by_table() -> None:
    configs = [
        TableConfig.of(name, 2, features=(FeatureRule("f", ttl_s=ttl),))
        for name, ttl in (("short", 10), ("long", 1000), ("brief", 5))
    ]
    group = TableGroup([Member(CollisionlessTable(c)) for c in configs])
    ids, offsets, starts = np.array([1, 2]), np.array([0, 2]), np.zeros(3, np.int64)
    first = group.train_lookup_pooled(ids, offsets, starts, num_bags=1, time=100)
    assert first.evicted == {}
    later = group.train_lookup_pooled(ids[:0], offsets * 0, starts, num_bags=1, time=110)
    assert {name: sorted(lost.ids.tolist()) for name, lost in later.evicted.items()} == {
        "short": [1, 2],
        "brief": [1, 2],
    }
    assert set(later.evicted["short"].reasons.tolist()) == {recsys_embed.EXPIRED}


def test_a_gradient_that_is_not_finite_moves_no_table() -> None:
    grouped = members()
    group = TableGroup(grouped)
    batch = Batch(np.random.default_rng(1), 3, longest=4)
    found = group.train_lookup_pooled(*batch.arrays(), num_bags=3)
    before = [dump(m.table) for m in grouped]
    for column in (0, WIDTH - 1):
        bad = batch.grads.copy()
        bad[1, column] = np.nan
        with pytest.raises(InputError, match="finite.*row 1"):
            group.apply_pooled_gradients(found.rows, bad, lr=0.1)
    assert [dump(m.table) for m in grouped] == before


@pytest.mark.parametrize("kind", ["decrease", "overrun", "negative", "start", "starts", "dtype"])
def test_bags_outside_the_arrays_are_refused_before_any_table_counts(kind: str) -> None:
    configs = CONFIGS[1:3]
    for used in (configs, (*configs, CONFIGS[3])):
        grouped = members(used)
        group = TableGroup(grouped)
        ids, offsets = np.arange(6), np.array([0, 2, 4, 6])
        starts = np.arange(len(used))
        match kind:
            case "decrease":
                offsets[1] = 5
            case "overrun":
                offsets[-1], starts[-1] = 7, 2
            case "negative":
                offsets[0] = -1
            case "start":
                starts[-1] = 3
            case "starts":
                starts = starts[:1]
            case "dtype":
                offsets = offsets.astype(np.float32)
        with pytest.raises(InputError, match="offsets|starts"):
            group.train_lookup_pooled(ids, offsets, starts, num_bags=1)
        with pytest.raises(InputError, match="offsets|starts"):
            group.lookup_pooled(ids, offsets, starts, num_bags=1)
        assert [m.table.seq for m in grouped] == [0] * len(used)


def test_offsets_changed_since_the_lookup_are_refused() -> None:
    group = TableGroup(members(CONFIGS[1:3]))
    ids, offsets, starts = np.arange(4), np.array([0, 2, 4]), np.array([0, 1])
    found = group.train_lookup_pooled(ids, offsets, starts, num_bags=1)
    offsets[1] = 1
    group.apply_pooled_gradients(found.rows, np.zeros((1, 6), np.float32), lr=0.1)
    offsets[2] = 3
    with pytest.raises(InputError, match="not those of the lookup"):
        group.apply_pooled_gradients(found.rows, np.zeros((1, 6), np.float32), lr=0.1)


def test_the_handle_of_another_group_is_refused() -> None:
    first, second = TableGroup(members(CONFIGS[1:2])), TableGroup(members(CONFIGS[1:2]))
    found = first.train_lookup_pooled(np.arange(2), np.array([0, 2]), [0], num_bags=1)
    with pytest.raises(InputError, match="another group"):
        second.apply_pooled_gradients(found.rows, np.zeros((1, 3), np.float32), lr=0.1)


def test_missing_ids_are_named_under_error_and_read_the_vector_given() -> None:
    group = TableGroup([Member(CollisionlessTable(TableConfig.of(n, 2))) for n in "ab"])
    ids, offsets, starts = np.array([7, 8]), np.array([0, 1, 2]), np.array([0, 1])
    with pytest.raises(
        MissingIdError, match="one of the tables a, b has no row for 1 of its ids: 7"
    ):
        group.lookup_pooled(ids, offsets, starts, num_bags=1, missing="error")
    given_vector = np.array([3, 4], np.float32)
    read = group.lookup_pooled(ids, offsets, starts, num_bags=1, missing=given_vector)
    assert read.tolist() == [[3, 4, 3, 4]]
    read = group.lookup_pooled(ids, offsets, starts, num_bags=1, missing="zeros")
    assert read.tolist() == [[0, 0, 0, 0]]
    with pytest.raises(InputError, match=r"one size, got \[2, 3\]"):
        mixed = TableGroup([Member(CollisionlessTable(TableConfig.of(str(d), d))) for d in (2, 3)])
        mixed.lookup_pooled(ids, offsets, starts, num_bags=1, missing=given_vector)


@pytest.mark.parametrize("lr", [(0.1,), -1.0, (0.1, (0.1, 0.2), 0.1, 0.1)])
def test_rates_that_fit_no_table_are_refused(lr: Any) -> None:
    group = TableGroup(members())
    batch = Batch(np.random.default_rng(1), 1, longest=2)
    found = group.train_lookup_pooled(*batch.arrays(), num_bags=1)
    with pytest.raises(InputError, match="lr must be"):
        group.apply_pooled_gradients(found.rows, batch.grads, lr=lr)


def test_groups_that_cannot_be_are_refused() -> None:
    table = CollisionlessTable(CONFIGS[1])
    for several in ([], [Member(table)] * 2):
        with pytest.raises(ConfigError, match="distinct names"):
            TableGroup(several)
    with pytest.raises(ConfigError, match="'max'"):
        TableGroup([Member(table, mode="max")])  # type: ignore[arg-type]


def test_two_groups_over_the_same_tables_lose_no_step(threads: int) -> None:
    tables = [CollisionlessTable(TableConfig.of(n, 2, optimizer=Adagrad())) for n in "ab"]
    ids, offsets = np.arange(512), np.arange(513)

    def train(group: TableGroup) -> None:
        for _ in range(20):
            found = group.train_lookup_pooled(ids, offsets, [0, 0], num_bags=512)
            group.apply_pooled_gradients(found.rows, np.ones((512, 4), np.float32), lr=0.1)

    groups = [TableGroup([Member(t) for t in order]) for order in (tables, tables[::-1])]
    running = [threading.Thread(target=train, args=(group,)) for group in groups]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for table in tables:
        block = next(table.rows())
        assert set(block.count.tolist()) == {40}
        np.testing.assert_array_equal(block.state, 40.0)  # Adagrad sums g^2 = 1 for each step


def test_tables_whose_ids_share_rows_are_called_in_turn_to_the_same_end():
    """A group refuses them; `make_group` calls each, to what the tables alone give."""
    mapped = [
        TableConfig.of("user", 2, features=FEATURES, row_map=Hashed(rows=7)),
        TableConfig.of("item", 3),
    ]
    with pytest.raises(ConfigError, match=r"ids of \['user'\] share rows"):
        TableGroup([Member(make_table(c)) for c in mapped])
    together, alone = [make_table(c) for c in mapped], [make_table(c) for c in mapped]
    group = make_group([Member(together[0], ("x", "y")), Member(together[1], (0,), "mean")])
    rng = np.random.default_rng(0)
    for _ in range(5):
        ids, offsets = rng.integers(0, 50, 12), np.array([0, 2, 3, 3, 9, 10, 12])
        found = group.train_lookup_pooled(ids, offsets, [0, 4], num_bags=2)
        user = alone[0].train_lookup_pooled(ids[:9], offsets[:5], features=("x", "y"))
        item = alone[1].train_lookup_pooled(ids[9:], offsets[4:] - 9, mode="mean")
        np.testing.assert_array_equal(found.values, np.hstack([user.values, item.values]))
        grads = rng.standard_normal((2, 7)).astype(np.float32)
        group.apply_pooled_gradients(found.rows, grads, lr=(0.1, 0.2))
        alone[0].apply_pooled_gradients(
            user.rows, offsets[:5], grads[:, :4], lr=0.1, num_features=2
        )
        alone[1].apply_pooled_gradients(
            item.rows, offsets[4:] - 9, grads[:, 4:], lr=0.2, mode="mean"
        )
    assert [dump(t) for t in together] == [dump(t) for t in alone]
