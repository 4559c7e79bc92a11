"""Runs of codes as rows: the formulas, all rows used, none shared without need."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError
from recsys_embed.semantic_ids.grams import prefixes, regions
from tests.reference.semantic_codes import prefix_row


def all_codes(levels: int, per_level: int) -> np.ndarray:
    return np.array(list(itertools.product(range(per_level), repeat=levels)), np.int32)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 4000), st.integers(0, 9))
def test_prefix_rows_are_the_formula(levels: int, per_level: int, rows: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, per_level, (20, levels))
    for length, gram in enumerate(prefixes(levels, per_level, rows), start=1):
        found = gram.rows(codes, per_level).tolist()
        assert gram.modulus <= rows
        assert found == [prefix_row(row, length, per_level, gram.modulus) for row in codes.tolist()]


def test_prefixes_of_long_ids_do_not_overflow() -> None:
    codes = np.full((1, 64), 65_535, np.int32)
    last = prefixes(64, 65_536, 2**32)[-1]
    expected = prefix_row(codes[0].tolist(), 64, 65_536, last.modulus)
    assert last.rows(codes, 65_536).tolist() == [expected]


def test_every_prefix_has_its_own_row_where_rows_suffice() -> None:
    codes = all_codes(3, 4)
    rows = np.stack([g.rows(codes, 4) for g in prefixes(3, 4, 84)], axis=1)
    assert sorted(set(rows.ravel().tolist())) == list(range(84))
    # Rows are equal where prefixes are, and nowhere else.
    for length in range(3):
        assert len(np.unique(rows[:, length])) == 4 ** (length + 1)


@pytest.mark.parametrize("rows", [16, 64, 65_536])
def test_the_first_code_matters_also_where_rows_divide_into_codes(rows: int) -> None:
    codes = np.array([[c, 1, 1] for c in range(min(rows, 256))], np.int32)
    for gram in (prefixes(3, 256, rows)[-1], regions(3, 256, rows, n=3)[0]):
        assert len(np.unique(gram.rows(codes, 256))) >= len(codes) - 1


def test_siblings_never_share_a_row() -> None:
    for rows in (257, 300, 1000, 70_000):
        codes = np.array([[3, 200, c] for c in range(256)], np.int32)
        assert len(np.unique(prefixes(3, 256, rows)[-1].rows(codes, 256))) == 256


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 300))
def test_regions_are_disjoint_and_within_the_rows(
    levels: int, per_level: int, n: int, rows: int
) -> None:
    count = -(-levels // n)
    if rows < count:
        with pytest.raises(ConfigError, match=f"needs {count} rows or more, got {rows}"):
            regions(levels, per_level, rows, n)
        return
    codes = all_codes(levels, per_level)
    used = [set(g.rows(codes, per_level).tolist()) for g in regions(levels, per_level, rows, n)]
    assert sum(map(len, used)) == len(set().union(*used)) and max(max(u) for u in used) < rows
    needed = sum(per_level ** min(n, levels - start) for start in range(0, levels, n))
    if rows >= needed:
        assert sum(map(len, used)) == needed


def test_unigrams_stand_one_level_behind_the_other() -> None:
    rows = [g.rows(np.array([[1, 2, 0]], np.int32), 3)[0] for g in regions(3, 3, 9, n=1)]
    assert rows == [1, 5, 6]


def test_what_short_runs_do_not_need_goes_to_long_ones() -> None:
    # 3 codes of 10 as a bigram and a unigram: the unigram needs 10 of 60 rows.
    sizes = [g.modulus for g in regions(3, 10, 60, n=2)]
    assert sizes == [49, 10]  # 50 shares a factor with 10
