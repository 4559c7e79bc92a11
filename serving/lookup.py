"""The lookup itself: ids in, vectors out, one moment an answer. Knows nothing of HTTP."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.errors import InputError, RecsysEmbedError
from recsys_embed.row_maps import SemanticId
from recsys_embed.snapshot import ReadableTable, Snapshot, open_snapshot
from serving.asked import Answer, ItemQuery, Missing, Query
from serving.semantic_ids import Items, ReverseIndexes, codes_of, lookup_codes

NAMED_IDS = 20


class UnknownTableError(RecsysEmbedError):
    """A table that the snapshot does not hold; the sentence lists those it does."""


class UnknownFeatureError(RecsysEmbedError):
    """A feature that the table does not have; the sentence lists those it has."""


class MissingIdsError(RecsysEmbedError):
    """Ids without a row where the query asked for an error; `ids` are the first, as asked."""

    def __init__(self, table: str, ids: Sequence[int | str], count: int) -> None:
        super().__init__(
            f"{count} of the ids have no row in table {table!r}, the first is {ids[0]!r};"
            " ask with missing 'initial', 'zeros' or a vector to get an answer for them too"
        )
        self.table = table
        self.ids = list(ids)
        self.count = count


class LookupService:
    """Answers queries from tables at one moment, which never change; any number of threads may ask.

    Args:
        tables: by name.
        version: names the moment; no two have the same.
        created: when it was, in seconds since the epoch.
        reverse: what was found out about the tables' row maps, kept from one moment to the next.
        snapshot: that lies beneath, for what it brings besides; None if nothing is known of it.
    """

    def __init__(
        self,
        tables: Mapping[str, ReadableTable],
        version: str,
        created: float,
        reverse: ReverseIndexes | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.tables, self.version, self.created = tables, version, created
        self.snapshot = snapshot
        self._reverse = reverse or ReverseIndexes()

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Answers from a snapshot."""
        created = datetime.fromisoformat(snapshot.manifest["created"]).timestamp()
        return cls(snapshot.tables, snapshot.version_id, created, snapshot=snapshot)

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> Self:
        """Opens a snapshot and asks every table once, so that the first client does not pay for it.

        Raises:
            SnapshotError: if there is no snapshot at `path` that can be read.
        """
        service = cls.of(open_snapshot(path, verify=verify))
        service.warm_up()
        return service

    def warm_up(self) -> None:
        """Asks every table once.

        Raises:
            SnapshotCorruptError: if a table cannot be asked.
        """
        for name in self.tables:
            self.lookup(Query(name, np.zeros(1, np.int64), "zeros"))
            if isinstance(row_map := self.table(name).config.row_map, SemanticId):
                self.lookup(ItemQuery(name, contents=[[0.0] * row_map.codebooks.width]))

    def later(self, tables: Mapping[str, ReadableTable], version: str, created: float) -> Self:
        """Gives the service of the same tables, with the same row maps, at a later moment."""
        return type(self)(tables, version, created, self._reverse, self.snapshot)

    def table(self, name: str) -> ReadableTable:
        """Finds a table by name.

        Raises:
            UnknownTableError: naming the tables there are.
        """
        try:
            return self.tables[name]
        except KeyError:
            raise UnknownTableError(_no_table(name, list(self.tables))) from None

    def lookup(self, query: Query | ItemQuery) -> Answer:
        """Gives every id or item its vector, or what `query.missing` says.

        Raises:
            UnknownTableError, UnknownFeatureError: if the table or the feature does not exist.
            InputError: for a vector of another width, or contents or codes that do not fit.
            NoSemanticIdsError: for items where the table's row map has no semantic IDs.
            MissingIdsError: if the policy is "error" and an id has no row.
        """
        table, missing = self.table(query.table), query.missing
        if query.feature is not None:
            _refuse_other_feature(table, query.feature)
        if isinstance(missing, np.ndarray):
            _refuse_other_width(table, query.feature, missing)
        missing = "zeros" if _is_error(missing) else missing
        if isinstance(query, ItemQuery):
            codes = codes_of(table, query)
            answer = Answer(query.table, None, *lookup_codes(table, codes, missing), codes)
        else:
            rows = table.lookup(query.ids, missing=missing, feature=query.feature)
            answer = Answer(query.table, query.ids, rows.values, rows.found)
        if _is_error(query.missing) and not answer.found.all():
            raise _missing_ids(query, answer)
        return answer

    def lookup_many(self, queries: Sequence[Query | ItemQuery]) -> list[Answer]:
        """Answers all queries from one snapshot, or raises for the first that cannot be."""
        return [self.lookup(query) for query in queries]

    def items(self, table: str, prefix: Sequence[int], limit: int) -> Items:
        """Gives the first `limit` items whose semantic IDs begin with the codes of `prefix`.

        Raises:
            UnknownTableError: if the table does not exist.
            NoSemanticIdsError, InputError: as `ReverseIndexes.items`.
        """
        return self._reverse.items(self.table(table), prefix, limit)


def _refuse_other_feature(table: ReadableTable, feature: str) -> None:
    names = [rule.name for rule in table.config.features]
    if feature not in names:
        raise UnknownFeatureError(
            f"table {table.config.name!r} has no feature {feature!r}; {near(feature, names)}"
        )


def _refuse_other_width(
    table: ReadableTable, feature: str | None, missing: NDArray[np.float32]
) -> None:
    config = table.config
    width = config.vector_dim(config.features[0].name if feature is None else feature)
    if missing.shape != (width,):
        raise InputError(
            f"vectors of table {config.name!r} have {width} dimensions, the vector for missing ids"
            f" has {missing.size}"
        )


def _is_error(missing: Missing) -> bool:
    return isinstance(missing, str) and missing == "error"


def _missing_ids(query: Query | ItemQuery, answer: Answer) -> MissingIdsError:
    positions = np.flatnonzero(~answer.found)
    asked: Sequence[int | str]
    if answer.codes is not None:
        asked = [",".join(map(str, codes)) for codes in answer.codes.tolist()]
    else:
        assert isinstance(query, Query)
        asked = query.ids.tolist() if query.asked is None else query.asked
    return MissingIdsError(query.table, [asked[p] for p in positions[:NAMED_IDS]], positions.size)


def _no_table(name: str, tables: list[str]) -> str:
    near = get_close_matches(name, tables, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    held = ", ".join(sorted(tables)) or "none"
    return f"no table {name!r} in this snapshot, which holds {held}{hint}"
