"""Trainers that lose and repeat what they must not: somebody has to notice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from recsys_embed.deltas import Delta, encode
from recsys_embed.deltas.codecs import Coded
from recsys_embed.deltas.delta import TableDelta
from tests.chaos.patches import tell_own_tables
from training.online import publishing
from training.online.sources.replay_source import ReplaySource


def lose_rows() -> None:
    """Leaves a row out of the entries."""
    _edit_deltas(_without_a_row)


def lose_tombstones() -> None:
    """Leaves what has expired out of the entries."""
    _edit_deltas(lambda t: replace(t, tombstones=t.tombstones[:0], reasons=t.reasons[:0]))


def learn_twice() -> None:
    """Goes on 16 records too early."""
    tell_own_tables()
    seek = ReplaySource.seek

    def seek_back(self: ReplaySource, offset: Any) -> None:
        seek(self, offset and {"records": max(0, offset["records"] - 16)})

    ReplaySource.seek = seek_back  # type: ignore[method-assign]


def learn_too_few() -> None:
    """Goes on 16 records too late."""
    tell_own_tables()
    seek = ReplaySource.seek

    def seek_on(self: ReplaySource, offset: Any) -> None:
        seek(self, offset and {"records": min(len(self._records), offset["records"] + 16)})

    ReplaySource.seek = seek_on  # type: ignore[method-assign]


def _edit_deltas(edit: Callable[[TableDelta], TableDelta]) -> None:
    tell_own_tables()

    def edited(delta: Delta) -> bytes:
        return encode(replace(delta, tables={n: edit(t) for n, t in delta.tables.items()}))

    publishing.encode = edited


def _without_a_row(table: TableDelta) -> TableDelta:
    training = table.training
    assert training is not None
    columns = {name: column[1:] for name, column in training.columns.items()}
    coded, training = Coded(table.coded.values[1:], None), replace(training, columns=columns)
    return replace(table, ids=table.ids[1:], coded=coded, training=training)
