"""Items by what they are: contents and semantic IDs to rows, prefixes back to items."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError, RecsysEmbedError
from recsys_embed.row_maps import SemanticId
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.semantic_ids import PrefixIndex
from recsys_embed.snapshot import ReadableTable, SnapshotLookup
from serving.asked import Codes, ItemQuery, Missing


class NoSemanticIdsError(RecsysEmbedError):
    """A question about semantic IDs to a table whose row map has none."""


class Items(NamedTuple):
    """The first ids (M,) under a prefix with their semantic IDs (M, L), of `total` there are."""

    ids: NDArray[np.int64]
    codes: Codes
    total: int


def semantic_map(table: ReadableTable) -> SemanticId:
    """Gives the row map of a table that has semantic IDs.

    Raises:
        NoSemanticIdsError: naming the row map that it has.
    """
    row_map = table.config.row_map
    if isinstance(row_map, SemanticId):
        return row_map
    raise NoSemanticIdsError(
        f"table {table.config.name!r} has a {row_map.kind} row map, which knows no semantic IDs;"
        " look its items up by ids or decimal_ids"
    )


def codes_of(table: ReadableTable, query: ItemQuery) -> Codes:
    """Gives the semantic IDs of the items asked for, (N, L).

    Raises:
        NoSemanticIdsError: if the table has none.
        InputError: for contents of another width than the codebooks', or codes that do not exist.
    """
    row_map = semantic_map(table)
    if not query.contents:
        return _checked(row_map, query.codes)
    width = row_map.codebooks.width
    _refuse_lengths(query.contents, width, "contents", "numbers")
    return row_map.encode(np.array(query.contents, np.float32))


def lookup_codes(table: ReadableTable, codes: Codes, missing: Missing) -> SnapshotLookup:
    """Reads the vectors of items by their semantic IDs, without what is particular to an id.

    Raises:
        NoSemanticIdsError: if the table has none.
    """
    row_map = semantic_map(table)
    part = Mapped(row_map, np.arange(len(codes)), row_map.rows_of_codes(codes))
    return table.lookup_mapped(part, missing)


def _checked(row_map: SemanticId, semantic_ids: Sequence[Sequence[int]]) -> Codes:
    _refuse_lengths(semantic_ids, row_map.levels, "semantic_ids", "codes")
    codes = np.array(semantic_ids, np.int64).reshape(-1, row_map.levels)
    if codes.size and not 0 <= codes.min() <= codes.max() < row_map.codes_per_level:
        raise InputError(
            f"semantic_ids: codes must be in [0, {row_map.codes_per_level}),"
            f" got {codes.min()} to {codes.max()}"
        )
    return codes.astype(np.int32)


def _refuse_lengths(rows: Sequence[Sequence[float]], length: int, field: str, of: str) -> None:
    for position, row in enumerate(rows):
        if len(row) != length:
            raise InputError(f"{field}.{position}: expected {length} {of}, got {len(row)}")


class ReverseIndexes:
    """Finds the items under a prefix, in any number of threads.

    The first question about a table sorts its items, which takes seconds where there are millions.
    """

    def __init__(self) -> None:
        self._built: dict[int, PrefixIndex] = {}  # by row map, which all versions of a table share
        self._lock = threading.Lock()

    def items(self, table: ReadableTable, prefix: Sequence[int], limit: int) -> Items:
        """Gives the first `limit` items whose semantic IDs begin with the codes, in their order.

        Raises:
            NoSemanticIdsError: if the table has none.
            InputError: for more codes than a semantic ID has, or codes that do not exist.
        """
        row_map = semantic_map(table)
        wrong = [code for code in prefix if not 0 <= code < row_map.codes_per_level]
        if wrong or len(prefix) > row_map.levels:
            raise InputError(
                f"prefix: expected up to {row_map.levels} codes in [0, {row_map.codes_per_level}),"
                f" got {len(prefix)}: {', '.join(map(str, prefix))}"
            )
        found = self._index(row_map).items(prefix)
        first = found[:limit]
        return Items(first, row_map.codes_of(first), len(found))

    def _index(self, row_map: SemanticId) -> PrefixIndex:
        with self._lock:
            if id(row_map) not in self._built:
                self._built[id(row_map)] = PrefixIndex(row_map.array("ids"), row_map.array("codes"))
            return self._built[id(row_map)]
