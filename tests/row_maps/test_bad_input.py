"""Fields and arrays that cannot be a row map are refused, with the numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed import ConfigError, InputError, TableConfig, make_table
from recsys_embed.config import from_dict
from recsys_embed.row_maps import (
    Bloom,
    DoubleFrequency,
    Frequency,
    GraphHash,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
)
from recsys_embed.row_maps.files import read_row_map, write_row_map
from recsys_embed.row_maps.learned import digest_of
from tests.row_maps.making import KNOWN, ROW_MAPS

BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "a negative seed": (lambda: Hashed(rows=5, seed=-1), r"seed .* got -1"),
    "no hashes": (lambda: Bloom(rows=5, hashes=0), r"hashes .* got 0"),
    "too many hashes": (lambda: Bloom(rows=5, hashes=65), r"hashes .* got 65"),
    "too few rows for quotients": (
        lambda: QuotientRemainder(rows=19, cardinality=100),
        "at least 20 rows for 100 ids, got 19",
    ),
    "no cardinality": (lambda: QuotientRemainder(rows=5, cardinality=0), "cardinality .* got 0"),
    "weights that do not fit a row": (
        lambda: HashEmbedding(rows=5, importance=5, dim=2, hashes=3),
        "got 5, 2 and 3",
    ),
    "no importance": (lambda: HashEmbedding(rows=5, importance=0, dim=4), "importance"),
    "weights without a table": (
        lambda: HashEmbedding(rows=5, importance=5).map(KNOWN),
        r"hash_embedding.*dim",
    ),
    "rows without a table": (
        lambda: HashEmbedding(rows=5, importance=5).num_rows,
        r"hash_embedding.*dim",
    ),
    "fewer rows than chunks": (lambda: MultiChunk(rows=2, lookups=3), r"\[3, 2\^32\].* got 2"),
    "no table in a pool": (lambda: Multiplexed(rows=5, tables=0), "got 0 and 5"),
    "no lookups": (lambda: Multiplexed(rows=5, lookups=0), r"lookups .* got 0"),
    "no lookups beside a feature of that name": (
        lambda: Multiplexed(rows=5, lookups=0, lookups_of={"lookups": 1}),
        r"lookups .* got 0",
    ),
    "no lookups of a feature": (
        lambda: Multiplexed(rows=5, lookups_of={"user": 0}),
        r"user .* got 0",
    ),
    "lookups of an unknown feature": (
        lambda: Multiplexed(rows=5, lookups_of={"usr": 2}, features=("user",)),
        "did you mean 'user'",
    ),
    "clusters below zero": (lambda: GraphHash.of([1, 2], [0, -1]), "clusters .* got -1 to 0"),
    "clusters beyond all rows": (
        lambda: GraphHash.of([1, 2], [0, 2**32]),
        "clusters .* 0 to 4294967296",
    ),
    "clusters that are fractions": (lambda: GraphHash.of([1, 2], [0.5, 1]), "clusters .* float64"),
    "fewer clusters than ids": (lambda: GraphHash.of([1, 2], [0]), r"\(1,\) and \(2,\)"),
    "ids that repeat": (lambda: GraphHash.of([1, 2, 1], [0, 0, 0]), "1 repeated"),
    "no ids": (lambda: GraphHash.of([], np.zeros(0, np.int64)), "at least one id"),
    "no frequent ids": (lambda: Frequency.of(np.zeros(0, np.int64), rows=4), "at least one id"),
    "all rows for the head": (lambda: Frequency.of([1, 2], rows=4, share=1.0), r"share .* got 1.0"),
    "one row for head and tail": (lambda: DoubleFrequency.of([1], rows=1), "rows >= 2"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_map_is_refused(what: str) -> None:
    make, message = BAD[what]
    with pytest.raises(ConfigError, match=message):
        make()


def forged(name: str, **changed: Any) -> Any:
    """Gives a map other arrays, with the digest that they have."""
    row_map = ROW_MAPS[name]
    arrays = {n: np.asarray(a, row_map.columns[n]) for n, a in (row_map.arrays | changed).items()}
    return replace(row_map, digest=digest_of(arrays)).with_arrays(arrays)


@pytest.mark.parametrize("name", ["graphhash", "double_graphhash", "frequency", "double_frequency"])
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    row_map = ROW_MAPS[name]
    (column,) = set(row_map.columns) - {"ids"}
    ids, values = row_map.arrays["ids"], row_map.arrays[column]
    with pytest.raises(ConfigError, match=rf"{len(ids)} ids and {len(ids) - 1} {column}"):
        forged(name, **{column: values[1:]})
    with pytest.raises(ConfigError, match="ascend"):
        forged(name, ids=ids[::-1])
    with pytest.raises(ConfigError, match="does not fit its table"):
        forged(name, **{column: values + 99})


@pytest.mark.parametrize("name", ["graphhash", "double_graphhash", "frequency"])
def test_a_map_that_knows_no_id_hashes_all(name: str) -> None:
    none = {n: np.zeros(0, array.dtype) for n, array in ROW_MAPS[name].arrays.items()}
    row_map = replace(ROW_MAPS[name], digest=digest_of(none)).with_arrays(none)
    hashed = Hashed(row_map.rows, row_map.seed).map(KNOWN).rows[0]
    np.testing.assert_array_equal(row_map.map(KNOWN).rows[0][:: row_map.map(KNOWN).per_id], hashed)


@pytest.mark.parametrize("name", ["graphhash", "frequency"])
def test_a_map_of_more_rows_than_its_config_says_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="of 2 rows has .* does not fit its table"):
        replace(ROW_MAPS[name], rows=2).with_arrays(ROW_MAPS[name].arrays)


def test_arrays_of_another_map_are_refused_by_digest_and_by_name() -> None:
    one, other = ROW_MAPS["graphhash"], GraphHash.of([1, 2], [0, 1])
    with pytest.raises(ConfigError, match=f"digest {one.digest}, its arrays have {other.digest}"):
        one.with_arrays(other.arrays)
    with pytest.raises(ConfigError, match="has arrays"):
        one.with_arrays(ROW_MAPS["frequency"].arrays)


def test_importance_weights_must_be_the_table_s() -> None:
    fitting = HashEmbedding(rows=5, importance=5)
    assert make_table(TableConfig.of("t", 4, row_map=fitting)).config.row_map.dim == 4
    with pytest.raises(ConfigError, match="dim 4, got 8"):
        TableConfig.of("t", 4, row_map=replace(fitting, dim=8))
    with pytest.raises(ConfigError, match="1 and 2"):
        TableConfig.of("t", 1, row_map=fitting)


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "flipped", "another kind"])
def test_a_file_that_is_no_row_map_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.rowmap"
    write_row_map(path, ROW_MAPS["graphhash"])
    raw = path.read_bytes()
    if damage == "absent":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(raw[:-1])
    elif damage == "flipped":
        path.write_bytes(raw[:-3] + bytes([raw[-3] ^ 4]) + raw[-2:])
    else:
        path.write_bytes(raw.replace(b'"graphhash"', b'"frequency"'))
    with pytest.raises(InputError, match="expected a row map .*a.rowmap"):
        read_row_map(path)


def test_a_map_without_arrays_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no arrays"):
        write_row_map(tmp_path / "a.rowmap", replace(ROW_MAPS["graphhash"]))
    assert not list(tmp_path.iterdir())


def test_a_config_that_names_an_unknown_kind_names_the_known_ones() -> None:
    values = {"name": "t", "segments": [{"dim": 2}], "row_map": {"kind": "grafhash"}}
    with pytest.raises(ConfigError, match="did you mean 'graphhash'"):
        from_dict(TableConfig, values)
