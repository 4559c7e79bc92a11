"""Deltas with training state made to tables."""

from collections.abc import Mapping

from recsys_embed.cut import COUNTERS
from recsys_embed.deltas.delta import Delta, TableDelta
from recsys_embed.deltas.digests import config_digest
from recsys_embed.errors import DeltaError, InputError
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_types import Evicted, RowBlock


def apply(delta: Delta, tables: Mapping[str, CollisionlessTable]) -> None:
    """Brings tables to where the trainer's stood, bit for bit, and passes over what they have.

    So a delta applied twice is applied once, and one that begins before a snapshot that the tables
    came from is applied as well. Every table changes in one call.

    Args:
        delta: one with training state, whose rows follow on what the tables hold.
        tables: by name, the delta's among them.

    Raises:
        DeltaError: if the delta lacks training state, is of another table or dimension, or there
            is a gap before it; says which table, what was expected and what was found. No table
            has changed then.
    """
    for name, part in delta.tables.items():
        if name not in tables:
            raise DeltaError(f"the delta has a table {name!r}, found {sorted(tables)}")
        _refuse_unfit(name, part, tables[name])
    for name, part in delta.tables.items():
        if part.seq > tables[name].seq:
            _apply(part, tables[name])


def _refuse_unfit(name: str, part: TableDelta, table: CollisionlessTable) -> None:
    config = table.config
    expected = (config.dim, config_digest(config))
    if (part.dim, part.config) != expected:
        raise DeltaError(
            f"table {name!r}: expected changes of {expected[0]} dimensions and config"
            f" {expected[1]}, found {part.dim} dimensions and config {part.config}"
        )
    training = part.training
    if training is None or training.counters.keys() != set(COUNTERS):
        raise DeltaError(f"table {name!r}: expected a delta with training state, found one without")
    width = training.columns["state"].shape[1]
    if width != config.state_width:
        raise DeltaError(
            f"table {name!r}: expected {config.state_width} floats of state a row, found {width}"
        )
    features = training.columns["feature"]
    if features.max(initial=0) >= len(config.features):
        raise DeltaError(f"table {name!r}: a row names a feature that the table lacks")
    if part.prev_seq > table.seq:
        raise DeltaError(
            f"table {name!r}: expected changes after {table.seq}, found changes after"
            f" {part.prev_seq}: those between are missing"
        )


def _apply(part: TableDelta, table: CollisionlessTable) -> None:
    training = part.training
    assert training is not None  # as checked
    try:
        table.apply_changes(
            RowBlock(part.ids, part.weights, **training.columns),
            Evicted(part.tombstones, part.reasons),
            seq=part.seq,
            clock_s=part.clock_s,
            counters=training.counters,
            admission=training.admission,
        )
    except InputError as error:
        raise DeltaError(str(error)) from None
