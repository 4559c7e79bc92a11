"""A retriever over the planted shop, a trainer that goes on, and what is known of both."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import CollisionlessTable
from recsys_embed.delta_log import DeltaLog
from recsys_embed.deltas import Delta
from recsys_embed.index.attributes import Schema, arrays_of, by_attribute
from recsys_embed.layers import LayeredTable
from recsys_embed.retrieval.description import array_name
from recsys_embed.snapshot import open_snapshot, write_snapshot
from serving.lookup import LookupService
from serving.retrieval.asked import Ask, Candidates, Vectors
from serving.retrieval.retriever import Options, Retriever
from tests.reference.retrieval import Rows
from tests.retrieval_serving.planted import KINDS, Planted

Floats = NDArray[np.float32]
LINEAGE = "00000000-0000-4000-8000-000000000005"
QUIET = Options(threads=1, shadow_share=0.0)


@contextmanager
def retrieving(
    service: LookupService, items: DeltaLog | None = None, options: Options = QUIET
) -> Iterator[Retriever]:
    """A retriever that is closed at the end."""
    retriever = Retriever(service, options=options, items=items)
    try:
        yield retriever
    finally:
        retriever.close()


def rows_of(shop: Planted) -> dict[int, tuple[Floats, dict[str, Any]]]:
    """The shop's items as the reference takes them."""
    ids = shop.ids.tolist()
    return {
        id: (vector, attributes)
        for id, vector, attributes in zip(ids, shop.vectors, shop.attributes, strict=True)
    }


def near(retriever: Retriever, vector: Floats, k: int = 5, **more: Any) -> Candidates:
    """The best items of the shop's index for a vector."""
    return retriever.search(Ask(Vectors(np.atleast_2d(vector)), index="items", k=k, **more))


def held(retriever: Retriever) -> set[int]:
    """Every item that the shop's index finds."""
    return set(near(retriever, np.ones(8, np.float32), 5000).ids.tolist())


def assert_holds(retriever: Retriever, rows: Rows) -> None:
    """The shop's index holds these items with these vectors, and no others."""
    found = near(retriever, np.ones(8, np.float32), 5000, wanted=frozenset({"vector"}))
    assert found.vectors is not None
    assert sorted(found.ids.tolist()) == sorted(rows)
    for id, vector in zip(found.ids.tolist(), found.vectors, strict=True):
        wanted = rows[id][0] / np.linalg.norm(rows[id][0])
        np.testing.assert_allclose(vector, wanted, atol=1e-5)


def amended(
    path: Path,
    root: Path,
    change: Callable[[dict[str, Any], dict[str, Any]], None] = lambda told, dense: None,
    **extra: Any,
) -> Path:
    """Writes a snapshot again, with what it says of retrieval and its arrays changed in place."""
    snapshot = open_snapshot(path)
    told, dense = deepcopy(snapshot.extra["retrieval"]), dict(snapshot.dense)
    change(told, dense)
    tables = {name: table.restore() for name, table in snapshot.tables.items()}
    more = {**snapshot.extra, "retrieval": told, **extra}
    return write_snapshot(root, tables, dense=dense, extra=more)


class Trainer:
    """Goes on where the shop's snapshot stands: new item vectors and attributes, as deltas."""

    def __init__(self, path: Path) -> None:
        self.snapshot = open_snapshot(path)
        self.table: CollisionlessTable = self.snapshot.tables["item_vector"].restore()
        self.table.track_changes()
        self.tables = {name: LayeredTable(one) for name, one in self.snapshot.tables.items()}
        self.cursor, self.number = self.table.seq, 0

    @property
    def service(self) -> LookupService:
        """Answers from the tables as they are now."""
        version = f"{LINEAGE}:{self.number}"
        return LookupService(self.tables, version, 0.0, snapshot=self.snapshot)

    def says(
        self,
        vectors: Mapping[int, Floats] | None = None,
        gone: Sequence[int] = (),
        attributes: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> Delta:
        """Trains, and gives what changed; `service` answers from it already."""
        if vectors:
            self.table.assign(np.array(list(vectors), np.int64), np.stack(list(vectors.values())))
        if gone:
            self.table.evict(np.array(gone))
        self.number += 1
        changes = self.table.changes(self.cursor)
        delta = Delta.of(
            {"item_vector": changes},
            lineage=LINEAGE,
            number=self.number,
            dense=_spelled(attributes),
        )
        self.cursor = changes.seq
        changes.close()
        name = "item_vector"
        self.tables = {**self.tables, name: self.tables[name].after([delta.tables[name]])}
        return delta

    def tells(self, retriever: Retriever, *said: Any, **more: Any) -> None:
        """Trains, and has a retriever heed it."""
        delta = self.says(*said, **more)
        retriever.heed(self.service, [delta])


def _spelled(attributes: Mapping[int, Mapping[str, Any]] | None) -> dict[str, Any]:
    if not attributes:
        return {}
    schema = Schema(KINDS)  # type: ignore[arg-type]
    arrays = arrays_of(by_attribute(attributes.values()), schema)
    named = {array_name("items", "attributes", name): array for name, array in arrays.items()}
    return {**named, array_name("items", "ids"): np.array(list(attributes), np.int64)}
