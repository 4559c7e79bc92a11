"""Tables for the tests below, and everything a table holds laid out for comparison."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import Collisionless, TableConfig, initial_values
from tests.reference import ReferenceTable

INT64 = np.iinfo(np.int64)
EXTREME_IDS = (
    *(0, -1, 1, -2, INT64.min, INT64.max, INT64.min + 1, INT64.max - 1),
    *(7 + 2**k for k in range(3, 63)),  # equal modulo every smaller power of two
    *(7 + (high << 32) for high in (-1, -(2**31), 3, 2**31 - 1)),  # the same low 32 bits
    *(-(2**k) for k in range(1, 63)),
)


def reference_table(config: TableConfig) -> ReferenceTable:
    """A reference table whose new rows begin as the native table's do."""
    of_row_ids = replace(config, row_map=Collisionless())
    return ReferenceTable(config, initial=partial(initial_values, of_row_ids))


def int64s(*ids: int) -> NDArray[np.int64]:
    return np.array(ids, np.int64)


def ramp(ids: Iterable[int], dim: int) -> NDArray[np.float32]:
    """Distinct values, small integers and so exact in float32: row k is k*dim, k*dim + 1, ..."""
    n = len(list(ids))
    return np.arange(n * dim, dtype=np.float32).reshape(n, dim)


def columns(table: Any) -> dict[str, NDArray[Any]]:
    """All rows of a table (or cut) as columns, ordered by id."""
    return ordered(copied(table.blocks() if hasattr(table, "blocks") else table.rows()))


def copied(blocks: Iterable[Any]) -> list[Any]:
    """The blocks one by one, kept: a table may reuse a block's arrays for the next one."""
    return [type(block)(*(np.array(column) for column in block)) for block in blocks]


def all_ids(table: Any) -> list[int]:
    """The ids that have rows, in order."""
    return sorted(i for block in table.ids() for i in block.tolist())


def ordered(blocks: list[Any]) -> dict[str, NDArray[Any]]:
    """Blocks as whole columns, ordered by id."""
    names = ("ids", "weights", "state", "last_seen", "count", "feature", "seq")
    if not blocks:
        return {name: np.zeros(0) for name in names}
    whole = {name: np.concatenate([getattr(b, name) for b in blocks]) for name in names}
    order = np.argsort(whole["ids"], kind="stable")
    return {name: column[order] for name, column in whole.items()}


def dump(table: Any) -> dict[str, bytes]:
    """The bytes of all rows, ordered by id: equal dumps mean bit-identical tables."""
    return {name: column.tobytes() for name, column in columns(table).items()}


def counters(table: Any) -> dict[str, int]:
    """What the table counted, without what only reading moves."""
    stats = table.stats()
    names = ("rows", "admitted", "filtered", "expired", "evicted", "deleted", "dropped_gradients")
    return {name: getattr(stats, name) for name in names}


def assert_same_rows(table: Any, expected: Any, rtol: float, atol: float) -> None:
    """Same ids and the same facts about each; weights and state within the tolerance."""
    ours, theirs = columns(table), columns(expected)
    for name in ("ids", "last_seen", "count", "feature", "seq"):
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    for name in ("weights", "state"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol, atol, err_msg=name)


def row(table: Any, i: int) -> dict[str, Any]:
    """Everything the table knows about one id."""
    whole = columns(table)
    at = np.flatnonzero(whole["ids"] == i)
    assert len(at) == 1, f"{len(at)} rows of id {i}"
    return {name: column[at[0]] for name, column in whole.items()}
