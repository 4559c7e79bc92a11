"""All that one trainer says of retrieval, snapshot and log, and what follows of words over it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.deltas import Delta
from recsys_embed.errors import AttributesError, InputError, SnapshotCorruptError
from recsys_embed.index.arguments import comparable
from recsys_embed.index.attributes import Schema, checked
from recsys_embed.layers import LayeredTable
from recsys_embed.snapshot import ReadableTable, Snapshot, SnapshotTable
from serving.lookup import LookupService
from serving.retrieval.asked import Floats, Ids
from serving.retrieval.bundle import Bundle, open_bundle
from serving.retrieval.spelling import as_json
from serving.retrieval.trained import TrainedAttributes
from serving.retrieval.words import Word, Words, is_as_before

logger = logging.getLogger(__name__)
AT_ONCE = 16_384


class Content(NamedTuple):
    """What an index must hold of some ids: items (n,), and those that are none."""

    ids: Ids
    vectors: Floats
    attributes: list[Mapping[str, Any]]
    gone: Ids


class Generation:
    """Towers with the tables and attributes that they fit; moves along a log.

    One thread changes it. Others may read meanwhile, and read each part as before or after.

    Args:
        bundle: of the snapshot.
        snapshot: beneath the tables.
        service: answers from the tables as they are now.
    """

    def __init__(self, bundle: Bundle, snapshot: Snapshot, service: LookupService) -> None:
        self.bundle, self.snapshot, self.service = bundle, snapshot, service
        self._trained = {
            name: TrainedAttributes(parts.schema, name, snapshot.dense)
            for name, parts in bundle.parts.items()
        }

    def go_on(self, service: LookupService, deltas: Sequence[Delta]) -> dict[str, Ids]:
        """Takes in deltas, after which the tables are those of `service`.

        Returns:
            by index, the items of which they say something.
        """
        self.service = service
        return {
            name: _distinct([*self._rows_in(name, deltas), *self.learn(name, deltas)])
            for name in self.bundle.parts
        }

    def learn(self, index: str, deltas: Sequence[Delta]) -> list[Ids]:
        """Takes in the attributes in deltas, and gives the items that have some."""
        return [ids for delta in deltas if delta.dense for ids in self._learn(index, delta)]

    def _learn(self, index: str, delta: Delta) -> list[Ids]:
        try:
            return [self._trained[index].learn(delta.dense)]
        except SnapshotCorruptError as error:  # vectors of the same entry must not wait for it
            logger.warning("attributes in entry %d are passed over: %s", delta.number, error)
            return []

    def begin_anew(
        self, snapshot: Snapshot, service: LookupService, deltas: Sequence[Delta]
    ) -> dict[str, Ids]:
        """Takes the same towers' newer snapshot, and the deltas behind it.

        Returns:
            by index, the items that may be other than before.
        """
        before, was = self.service, self._trained
        self.snapshot, self.service = snapshot, service
        self._trained = {name: one.again(snapshot.dense) for name, one in was.items()}
        changed = dict[str, Ids]()
        for name, parts in self.bundle.parts.items():
            self.learn(name, deltas)
            ids = _distinct([ids_in(at.table(parts.told.vectors)) for at in (before, service)])
            old, new = before.table(parts.told.vectors), service.table(parts.told.vectors)
            differs = [_differs(old, new, part) for part in _chunks(ids)]
            now = self._trained[name]
            others = [was[name].differing(now, part) for part in _chunks(ids)]
            changed[name] = _distinct([*differs, *others])
        return changed

    def content(self, index: str, ids: Ids, words: Words) -> Content:
        """Works out what an index must hold of items, from the trainer's word and that over HTTP.

        Args:
            index: its name.
            ids: int64 (N,), distinct.
            words: over HTTP, by item.
        """
        told = self.bundle.parts[index].told
        vectors, held = self.service.table(told.vectors).lookup(ids, missing="zeros")
        held &= comparable(vectors, told.metric)
        attributes: list[Mapping[str, Any]] = [*self._trained[index].of(ids)]
        spoken = [(at, word) for at, id in enumerate(ids.tolist()) if (word := words.get(id))]
        made = self._vectors_of(index, [word for _, word in spoken])
        for (at, word), vector in zip(spoken, made, strict=True):
            row = vectors[at].copy() if held[at] else None
            if word.vector is None:
                held[at] = False
                continue
            if as_json(attributes[at]) == word.attributes_over or not attributes[at]:
                attributes[at] = _fitting(word.attributes, self.bundle.parts[index].schema)
            if vector is not None and is_as_before(row, word.over):
                vectors[at], held[at] = vector, True
        held &= comparable(vectors, told.metric)  # what a tower made anew, too
        kept = np.flatnonzero(held)
        told_of = [attributes[at] for at in kept.tolist()]
        return Content(ids[kept], vectors[kept], told_of, ids[~held])

    def said_over(self, index: str, ids: Ids) -> tuple[list[Floats | None], list[dict[str, Any]]]:
        """Gives the trainer's vectors and attributes of items, for words about to be said."""
        told = self.bundle.parts[index].told
        vectors, held = self.service.table(told.vectors).lookup(ids, missing="zeros")
        rows = [row if is_held else None for row, is_held in zip(vectors, held, strict=True)]
        return rows, [as_json(one) for one in self._trained[index].of(ids)]

    def all_ids(self, index: str, words: Words) -> Ids:
        """Gives every item that the index may hold."""
        table = self.service.table(self.bundle.parts[index].told.vectors)
        return _distinct([ids_in(table), np.fromiter(words, np.int64, len(words))])

    def _rows_in(self, index: str, deltas: Sequence[Delta]) -> list[Ids]:
        table = self.bundle.parts[index].told.vectors
        parts = [delta.tables[table] for delta in deltas if table in delta.tables]
        return [ids for part in parts for ids in (part.ids, part.tombstones)]

    def _vectors_of(self, index: str, words: Sequence[Word]) -> list[Floats | None]:
        """Gives each word's vector for these towers: its own, one made of its features, or none."""
        version = self.bundle.tower_version
        made = [word.vector if word.tower_version == version else None for word in words]
        lacking = [
            at
            for at, word in enumerate(words)
            if made[at] is None and word.vector is not None and word.features is not None
        ]
        tower = self.bundle.parts[index].told.item_tower
        if tower is None:
            return made
        features = [words[at].features or {} for at in lacking]
        anew = self.bundle.networks[tower].run_each(features, self.service.tables)
        for at, vectors in zip(lacking, anew, strict=True):
            if isinstance(vectors, InputError):  # features that an older tower had
                logger.warning("index %s: an item cannot be embedded anew: %s", index, vectors)
            else:
                made[at] = vectors[0]
        return made


def open_generation(service: LookupService) -> Generation | None:
    """Opens all that a snapshot says of retrieval; None if it says nothing.

    Args:
        service: of its tables, or later ones, with the snapshot beneath.

    Raises:
        ConfigError, SnapshotCorruptError: naming what cannot be served.
    """
    assert service.snapshot is not None, "tables of no snapshot"
    bundle = open_bundle(service.snapshot, service.tables)
    return None if bundle is None else Generation(bundle, service.snapshot, service)


def ids_in(table: ReadableTable) -> Ids:
    """Gives the ids of a table's rows; of some that have gone as well."""
    if isinstance(table, LayeredTable):
        return _distinct([ids_in(table.base), *(layer.ids for layer in table.layers)])
    assert isinstance(table, SnapshotTable)
    return _distinct([np.asarray(ids) for ids in table.columns["ids"]])


def _fitting(attributes: Mapping[str, Any], schema: Schema) -> Mapping[str, Any]:
    """Leaves out what a later schema has no place for."""
    kept = dict[str, Any]()
    for name, value in attributes.items():
        try:
            checked({name: [value]}, schema, 1)
        except AttributesError as error:
            logger.warning("an attribute is left out: %s", error)
        else:
            kept[name] = value
    return kept


def _distinct(parts: Sequence[Ids]) -> Ids:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _chunks(ids: Ids) -> list[Ids]:
    return [ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE)]


def _differs(old: ReadableTable, new: ReadableTable, ids: Ids) -> Ids:
    was, now = old.lookup(ids, missing="zeros"), new.lookup(ids, missing="zeros")
    differs: NDArray[np.bool_] = (was.values != now.values).any(axis=1) | (was.found != now.found)
    return ids[differs]
