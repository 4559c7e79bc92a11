"""From prefixes back to items: as a loop over all items, and over all pairs, would answer."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys_embed import InputError
from recsys_embed.semantic_ids import PrefixIndex, shared_prefixes

codes_of_items = st.tuples(st.integers(0, 12), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(0, 2))
)


@given(codes_of_items, st.lists(st.integers(0, 3), max_size=3))
def test_items_under_a_prefix_are_those_that_begin_so(codes: np.ndarray, prefix: list[int]) -> None:
    prefix = prefix[: codes.shape[1]]
    ids = np.arange(len(codes)) * 7 - 3
    found = PrefixIndex(ids, codes).items(prefix)
    expected = [
        i for i, row in zip(ids, codes.tolist(), strict=True) if row[: len(prefix)] == prefix
    ]
    assert sorted(found.tolist()) == expected


def test_items_come_in_the_order_of_their_semantic_ids() -> None:
    index = PrefixIndex([5, 4, 3, 2], [[1, 1], [1, 0], [0, 9], [1, 1]])
    assert index.items([]).tolist() == [3, 4, 2, 5]
    assert index.items([1]).tolist() == [4, 2, 5]


@given(codes_of_items, st.integers(0, 99))
def test_shared_prefixes_are_what_a_loop_over_pairs_gives(codes: np.ndarray, seed: int) -> None:
    contents = np.random.default_rng(seed).standard_normal((len(codes), 3))
    contents[: len(codes) // 4] = 0
    lengths = np.linalg.norm(contents, axis=1)
    for found in shared_prefixes(codes, contents):
        n = found.length
        pairs = [
            (i, j)
            for i, j in combinations(range(len(codes)), 2)
            if codes[i, :n].tolist() == codes[j, :n].tolist()
        ]
        cosines = [
            contents[i] @ contents[j] / (lengths[i] * lengths[j]) if lengths[i] * lengths[j] else 0
            for i, j in pairs
        ]
        assert found.pairs == len(pairs)
        assert found.prefixes == len(np.unique(codes[:, :n], axis=0))
        expected = np.mean(cosines) if pairs else np.nan
        np.testing.assert_allclose(found.mean_cosine, expected, atol=1e-12)
        sizes = [(codes[:, :n] == row[:n]).all(axis=1).sum() for row in codes]
        assert found.mean_items == pytest.approx(np.mean(sizes) if sizes else 0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"got shapes \(2,\) and \(3, 1\)"):
        PrefixIndex([1, 2], [[0], [0], [0]])
    with pytest.raises(InputError, match="up to 1 codes here, got 2"):
        PrefixIndex([1], [[0]]).items([0, 0])
    with pytest.raises(InputError, match=r"got \(1, 1\) and \(2, 1\)"):
        shared_prefixes([[0]], [[1.0], [2.0]])
