"""The lookup itself: ids in, rows out, one snapshot for the whole answer. Knows nothing of HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError, RecsysEmbedError
from recsys_embed.snapshot import Snapshot, SnapshotTable, open_snapshot

Policy = Literal["initial", "zeros", "error"]
Missing = Policy | NDArray[np.float32]

NAMED_IDS = 20


class UnknownTableError(RecsysEmbedError):
    """A table that the snapshot does not hold; the sentence lists those it does."""


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


@dataclass(frozen=True)
class Query:
    """Ids to look up in one table.

    Args:
        table: its name in the snapshot.
        ids: int64, shape (N,), any order, duplicates allowed.
        missing: what stands in for a row that is not there; a vector has shape (D,).
        asked: the ids as the client wrote them, for naming them in an error.
    """

    table: str
    ids: NDArray[np.int64]
    missing: Missing = "initial"
    asked: Sequence[int | str] | None = None


@dataclass(frozen=True)
class Answer:
    """Vectors (N, D) float32 in the order of the ids (N,); `found` (N,) says which have a row."""

    table: str
    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    found: NDArray[np.bool_]


class LookupService:
    """Answers queries from one snapshot, which never changes; any number of threads may ask.

    Attributes:
        version: names the snapshot; no two have the same.
        created: when it was taken, in seconds since the epoch.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.version = snapshot.version_id
        self.created = datetime.fromisoformat(snapshot.manifest["created"]).timestamp()

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> Self:
        """Opens a snapshot and asks every table once, so that the first client does not pay for it.

        Raises:
            SnapshotError: if there is no snapshot at `path` that can be read.
        """
        service = cls(open_snapshot(path, verify=verify))
        for name in service.tables:
            service.lookup(Query(name, np.zeros(1, np.int64), "zeros"))
        return service

    @property
    def tables(self) -> Mapping[str, SnapshotTable]:
        """The snapshot's tables by name."""
        return self.snapshot.tables

    def table(self, name: str) -> SnapshotTable:
        """Finds a table by name.

        Raises:
            UnknownTableError: naming the tables there are.
        """
        try:
            return self.tables[name]
        except KeyError:
            raise UnknownTableError(_no_table(name, list(self.tables))) from None

    def lookup(self, query: Query) -> Answer:
        """Gives every id its row, or what `query.missing` says.

        Raises:
            UnknownTableError: if the table does not exist.
            InputError: if a given vector has another dimension than the table.
            MissingIdsError: if the policy is "error" and an id has no row.
        """
        table = self.table(query.table)
        missing = query.missing
        if isinstance(missing, np.ndarray) and missing.shape != (table.config.dim,):
            raise InputError(
                f"table {query.table!r} has {table.config.dim} dimensions,"
                f" the vector for missing ids has {missing.size}"
            )
        rows = table.lookup(query.ids, missing="zeros" if _is_error(missing) else missing)
        if _is_error(missing) and not rows.found.all():
            raise _missing_ids(query, rows.found)
        return Answer(query.table, query.ids, rows.values, rows.found)

    def lookup_many(self, queries: Sequence[Query]) -> list[Answer]:
        """Answers all queries from one snapshot, or raises for the first that cannot be."""
        return [self.lookup(query) for query in queries]


def _is_error(missing: Missing) -> bool:
    return isinstance(missing, str) and missing == "error"


def _missing_ids(query: Query, found: NDArray[np.bool_]) -> MissingIdsError:
    positions = np.flatnonzero(~found)
    asked = query.ids.tolist() if query.asked is None else query.asked
    return MissingIdsError(query.table, [asked[p] for p in positions[:NAMED_IDS]], positions.size)


def _no_table(name: str, tables: list[str]) -> str:
    near = get_close_matches(name, tables, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    held = ", ".join(sorted(tables)) or "none"
    return f"no table {name!r} in this snapshot, which holds {held}{hint}"
