"""Collisions counted in maps whose rows are known by construction."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_embed.row_maps import Collisionless, Hashed, Multiplexed, RowIds
from recsys_embed.row_maps.collisions import collisions


@dataclass(frozen=True)
class Given:
    """Maps id i of any feature to the rows it was given, one a chunk."""

    rows_of: Mapping[int, tuple[int, ...]]
    kind = "given"
    combine = "sum"
    num_rows = 100

    def chunks(self, feature: str) -> int:
        return len(next(iter(self.rows_of.values())))

    def map(self, ids: NDArray[np.int64], feature: str = "") -> RowIds:
        return RowIds(np.array([self.rows_of[i] for i in ids.tolist()], np.int64).T, 1)


def test_pairs_and_merged_ids_are_those_of_a_drawing() -> None:
    """1 and 2 share both rows, 3 shares the first with them, 4 none; 9 meets 4 in the second."""
    row_map = Given({1: (0, 10), 2: (0, 10), 3: (0, 11), 4: (1, 12), 9: (5, 12)})
    found = collisions(row_map, {"a": np.array([1, 2, 3, 4, 4]), "b": np.array([9])})
    assert vars(found.of_feature["a"]) == {"ids": 4, "lookups": 2, "pairs": 3 + 1, "merged": 2}
    assert found.of_feature["b"].pairs == 0
    assert found.between == {("a", "b"): 1}


def slow(rows: dict[str, list[list[int]]]) -> tuple[dict[str, int], int]:
    """All pairs one by one."""
    within = {
        f: sum(c[i] == c[j] for c in chunks for i in range(len(c)) for j in range(i))
        for f, chunks in rows.items()
    }
    flat = [[r for c in chunks for r in c] for chunks in rows.values()]
    return within, sum(r == s for r in flat[0] for s in flat[1])


@given(
    a=st.sets(st.integers(-5, 200), max_size=20),
    b=st.sets(st.integers(-5, 200), max_size=20),
    rows=st.integers(1, 20),
)
def test_counts_agree_with_all_pairs_one_by_one(a: set[int], b: set[int], rows: int) -> None:
    pool = Multiplexed(rows=rows, tables=2, lookups=2, features=("a", "b"))
    ids = {"a": np.array(sorted(a), np.int64), "b": np.array(sorted(b), np.int64)}
    found = collisions(pool, ids)
    within, between = slow({f: pool.map(own, f).rows.tolist() for f, own in ids.items()})
    assert {f: own.pairs for f, own in found.of_feature.items()} == within
    assert found.between["a", "b"] == between


@pytest.mark.parametrize("row_map", [Collisionless(), Multiplexed(rows=None, lookups=2)])
def test_where_every_id_has_its_row_nobody_meets(row_map: Collisionless | Multiplexed) -> None:
    found = collisions(row_map, {"a": np.arange(1000)})
    assert (found.of_feature["a"].pairs, found.of_feature["a"].merged) == (0, 0)


def test_hashing_meets_as_often_as_chance_has_it() -> None:
    """n (n - 1) / (2 rows) = 1,998 pairs, Poisson: five deviations are 224."""
    found = collisions(Hashed(rows=1000), {"a": np.arange(2000)})
    assert abs(found.of_feature["a"].pairs - 1_999) < 224
