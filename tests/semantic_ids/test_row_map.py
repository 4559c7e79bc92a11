"""The row map: every id has rows in every scheme, the same in every process; unseen items too."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys_embed import ConfigError, InputError
from recsys_embed.config import from_dict, to_dict
from recsys_embed.row_maps.files import read_row_map, write_row_map
from recsys_embed.row_maps.semantic_id import SemanticId
from recsys_embed.semantic_ids import Codebooks, Pieces
from tests.semantic_ids.making import some_codebooks
from tests.semantic_ids.test_pieces import drawn_pieces

SCHEMES: list[dict[str, Any]] = [
    {"tokens": "unigram", "rows": 15},
    {"tokens": "unigram", "rows": 7},
    {"tokens": "ngram", "ngram": 2, "rows": 30},
    {"tokens": "ngram", "ngram": 3, "rows": 20},
    {"tokens": "prefix", "rows": 155},
    {"tokens": "prefix", "rows": 40, "memorize_rows": 8},
    {"tokens": "pieces", "rows": 60},
    {"tokens": "pieces", "rows": 60, "memorize_rows": 10},
]
schemes = pytest.mark.parametrize(
    "scheme", SCHEMES, ids=lambda s: "-".join(f"{v}" for v in s.values())
)
ITEMS = np.array([5, -9, 2**62, 0, 17, -(2**63)])


def made(scheme: dict[str, Any], seed: int = 0) -> SemanticId:
    codebooks = some_codebooks(np.random.default_rng(seed))
    codes = np.random.default_rng(seed + 1).integers(0, 5, (len(ITEMS), 3))
    pieces = drawn_pieces(seed, 3, 5, 20) if scheme["tokens"] == "pieces" else None
    return SemanticId.of(ITEMS, codes, codebooks, pieces=pieces, **{"seed": seed, **scheme})


@schemes
@given(ids=arrays(np.int64, st.integers(0, 9), elements=st.integers(-(2**63), 2**63 - 1)))
def test_every_id_has_rows(scheme: dict[str, Any], ids: np.ndarray) -> None:
    row_map = made(scheme)
    ids = np.concatenate([ids, ITEMS[: len(ids)]])
    rows, per_id = row_map.map(ids)
    each = np.broadcast_to(per_id, len(ids))
    assert rows.dtype == np.int64 and rows.shape == (1, each.sum())
    assert (each >= 1).all() and row_map.chunks("") == 1 and row_map.combine == "sum"
    assert not rows.size or 0 <= rows.min() <= rows.max() < row_map.num_rows
    alone = [row_map.map(ids[i : i + 1]).rows for i in range(len(ids))]
    np.testing.assert_array_equal(np.concatenate([rows[:, :0], *alone], axis=1), rows)


@schemes
def test_an_unseen_item_has_the_rows_of_its_semantic_id(scheme: dict[str, Any]) -> None:
    row_map = made(scheme)
    known = row_map.map(ITEMS)
    by_codes = row_map.rows_of_codes(row_map.codes_of(ITEMS), ITEMS)
    np.testing.assert_array_equal(by_codes.rows, known.rows)
    np.testing.assert_array_equal(by_codes.per_id, known.per_id)
    without = row_map.rows_of_codes(row_map.codes_of(ITEMS))
    memory = scheme.get("memorize_rows", 0)
    assert without.rows.size == known.rows.size - len(ITEMS) * (memory > 0)
    assert without.rows.max() < row_map.token_rows == row_map.rows - memory


@schemes
def test_an_item_that_comes_later_leaves_the_others_their_rows(scheme: dict[str, Any]) -> None:
    row_map = made(scheme)
    contents = np.random.default_rng(4).standard_normal((2, 4))
    more = row_map.with_items([1, 2], contents)
    np.testing.assert_array_equal(more.map(ITEMS).rows, row_map.map(ITEMS).rows)
    new = np.array([1, 2])
    np.testing.assert_array_equal(more.codes_of(new), row_map.encode(contents))
    np.testing.assert_array_equal(
        more.map(new).rows, row_map.rows_of_codes(row_map.encode(contents), new).rows
    )
    assert more.digest != row_map.digest and more.codebooks.digest == row_map.codebooks.digest


PRINT_ROWS = """
import sys, numpy as np
from recsys_embed.row_maps.files import read_row_map
row_map = read_row_map(sys.argv[1])
print(row_map.map(np.arange(-50, 50)).rows.tolist())
print(row_map.encode(np.random.default_rng(8).standard_normal((50, 4))).tolist())
"""


@schemes
def test_another_process_gives_the_same_rows_from_the_file(
    scheme: dict[str, Any], tmp_path: Path
) -> None:
    row_map, path = made(scheme), tmp_path / "items.rowmap"
    write_row_map(path, row_map)
    assert read_row_map(path) == row_map
    if scheme not in (SCHEMES[1], SCHEMES[-1]):  # a process takes half a second
        return
    done = subprocess.run(
        [sys.executable, "-c", PRINT_ROWS, str(path)], capture_output=True, text=True, check=True
    )
    contents = np.random.default_rng(8).standard_normal((50, 4))
    expected = [row_map.map(np.arange(-50, 50)).rows.tolist(), row_map.encode(contents).tolist()]
    assert done.stdout.splitlines() == [str(e) for e in expected]


@schemes
def test_the_config_is_plain_and_waits_for_its_arrays(scheme: dict[str, Any]) -> None:
    row_map = made(scheme)
    config = from_dict(SemanticId, to_dict(row_map))
    assert config == row_map and config.num_rows == row_map.num_rows
    with pytest.raises(ConfigError, match=f"{row_map.digest} has no arrays"):
        config.map(ITEMS)
    np.testing.assert_array_equal(
        config.with_arrays(row_map.arrays).map(ITEMS).rows, row_map.map(ITEMS).rows
    )


def test_rows_follow_the_codes() -> None:
    codebooks = Codebooks(np.arange(12, dtype=np.float32).reshape(2, 3, 2))
    items = {"ids": [8, 7], "codes": [[2, 1], [0, 2]], "codebooks": codebooks}
    ids = np.array([7, 8])
    unigram = SemanticId.of(**items, tokens="unigram", rows=6)
    assert unigram.map(ids).rows.tolist() == [[0, 5, 2, 4]]
    prefix = SemanticId.of(**items, tokens="prefix", rows=12)
    assert prefix.map(ids).rows.tolist() == [[0, 3 + 2, 2, 3 + 7]]
    bigram = SemanticId.of(**items, tokens="ngram", ngram=2, rows=9)
    assert bigram.map(ids).rows.tolist() == [[2, 7]]
    pieces = Pieces(
        [[0, -1], [1, -1], [2, -1], [-1, 0], [-1, 1], [-1, 2], [2, 1]], [-1.0] * 6 + [-1.5]
    )
    spm = SemanticId.of(**items, tokens="pieces", rows=7, pieces=pieces)
    assert spm.map(ids).rows.tolist() == [[0, 5, 6]]
    np.testing.assert_array_equal(spm.map(ids).per_id, [2, 1])


def test_rows_that_memorize_lie_behind_those_of_tokens() -> None:
    row_map = made({"tokens": "prefix", "rows": 40, "memorize_rows": 8})
    rows = row_map.map(np.arange(2000)).rows.reshape(2000, 4)
    assert rows[:, :3].max() < 32 and set(rows[:, 3]) == set(range(32, 40))
    twins = made({"tokens": "prefix", "rows": 40, "memorize_rows": 8, "seed": 1}, seed=1)
    assert (twins.map(np.arange(2000)).rows.reshape(2000, 4)[:, 3] != rows[:, 3]).mean() > 0.8


def test_hashed_codes_of_unknown_ids_spread_over_all_codes() -> None:
    codes = made(SCHEMES[0]).codes_of(np.arange(1000, 6000))
    counts = np.stack([np.bincount(level, minlength=5) for level in codes.T])
    assert counts.min() > 850 and len(np.unique(codes, axis=0)) == 125


def test_no_known_item_is_a_map_as_well() -> None:
    none = SemanticId.of(
        [], np.zeros((0, 3), int), some_codebooks(np.random.default_rng(0)), rows=9
    )
    assert none.map(ITEMS).rows.shape == (1, 3 * len(ITEMS))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 2, "tokens": "unigram"}, "needs 3 rows or more, got 2"),
        ({"rows": 14, "tokens": "pieces"}, "need 15 rows or more, got 14"),
        ({"rows": 20, "memorize_rows": 6, "tokens": "pieces"}, "need 15 rows or more, got 14"),
        ({"rows": 9, "memorize_rows": 9}, r"memorize_rows must be in \[0, rows = 9\), got 9"),
        ({"rows": 9, "ngram": 0}, r"ngram must be in \[1, 64\], got 0"),
        ({"rows": 9, "seed": -1}, "seed must be in"),
        ({"rows": 0}, r"rows must be in \[1, 2\^32\], got 0"),
        ({"rows": 99, "tokens": "pieces"}, "tokens='pieces' and 99 rows for them has 0 pieces"),
        ({"rows": 9, "ids": [1, 1]}, "ids must be distinct"),
        ({"rows": 9, "ids": [1]}, r"ids \(K,\) and codes \(K, 3\), got \(1,\) and \(2, 3\)"),
        ({"rows": 9, "codes": [[0, 0, 5], [0, 0, 0]]}, r"in \[0, 5\), got 0 to 5"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], words: str) -> None:
    items = {"ids": [1, 2], "codes": np.zeros((2, 3), int), **change}
    with pytest.raises((ConfigError, InputError), match=words):
        SemanticId.of(codebooks=some_codebooks(np.random.default_rng(0)), **items)


def test_arrays_of_another_map_are_refused() -> None:
    one, other = made(SCHEMES[0]), made(SCHEMES[0], seed=1)
    with pytest.raises(ConfigError, match=f"expected .* digest {one.digest}"):
        one.with_arrays(other.arrays)
    with pytest.raises(InputError, match="expected 3 codes an ID, got 2"):
        one.rows_of_codes([[0, 0]])
