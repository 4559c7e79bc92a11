"""Deltas that follow each other made one."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recsys_embed.deltas.codecs import Coded
from recsys_embed.deltas.delta import TRAINING_COLUMNS, Delta, TableDelta, Training
from recsys_embed.errors import DeltaError


def merge(deltas: Sequence[Delta]) -> Delta:
    """Gives one delta that does what several do, one after the other.

    Of each id the last row stays, or its tombstone if it went and did not come back; of dense
    arrays the last ones that came, of all else what the last delta says.

    Raises:
        DeltaError: if there is none, they do not follow each other, or differ in lineage, config,
            codec or training state.
    """
    if not deltas:
        raise DeltaError("expected deltas to merge, found none")
    for one, other in pairwise(deltas):
        if (other.lineage, other.prev) != (one.lineage, one.number):
            raise DeltaError(
                f"expected a delta after {one.number} of {one.lineage}, found one after"
                f" {other.prev} of {other.lineage}"
            )
    last = deltas[-1]
    names = dict.fromkeys(name for delta in deltas for name in delta.tables)
    return Delta(
        lineage=last.lineage,
        number=last.number,
        prev=deltas[0].prev,
        token=last.token,
        created_s=last.created_s,
        tables={
            name: _merge_tables(name, [d.tables[name] for d in deltas if name in d.tables])
            for name in names
        },
        dense=next((delta.dense for delta in reversed(deltas) if delta.dense), {}),
        extra=last.extra,
    )


def _merge_tables(name: str, parts: Sequence[TableDelta]) -> TableDelta:
    for one, other in pairwise(parts):
        if other.prev_seq != one.seq:
            raise DeltaError(
                f"table {name!r}: expected changes after {one.seq}, found {other.prev_seq}"
            )
        kinds = [(p.config, p.codec, p.dim, p.training is None) for p in (one, other)]
        if kinds[0] != kinds[1]:
            raise DeltaError(
                f"table {name!r}: deltas of (config, codec, dimension, without state) {kinds[0]}"
                f" and {kinds[1]} cannot be merged"
            )
    last = parts[-1]
    rows, lost = _last_of_each(parts)
    scales = [part.coded.scales for part in parts if part.coded.scales is not None]
    return TableDelta(
        config=last.config,
        codec=last.codec,
        dim=last.dim,
        prev_seq=parts[0].prev_seq,
        seq=last.seq,
        clock_s=last.clock_s,
        ids=np.concatenate([part.ids for part in parts])[rows],
        coded=Coded(
            np.concatenate([part.coded.values for part in parts])[rows],
            np.concatenate(scales)[rows] if scales else None,
        ),
        tombstones=np.concatenate([part.tombstones for part in parts])[lost],
        reasons=np.concatenate([part.reasons for part in parts])[lost],
        training=_merge_training(parts, rows),
    )


def _merge_training(parts: Sequence[TableDelta], rows: NDArray[np.intp]) -> Training | None:
    held = [part.training for part in parts if part.training is not None]
    if not held:
        return None
    columns = {
        name: np.concatenate([training.columns[name] for training in held])[rows]
        for name in TRAINING_COLUMNS
    }
    return Training(columns, held[-1].counters, held[-1].admission)


def _last_of_each(parts: Sequence[TableDelta]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of all rows and which of all tombstones are the last word about their id, in order."""
    rows = np.concatenate([part.ids for part in parts])
    lost = np.concatenate([part.tombstones for part in parts])
    of_rows = np.repeat(np.arange(len(parts)), [len(part.ids) for part in parts])
    of_lost = np.repeat(np.arange(len(parts)), [len(part.tombstones) for part in parts])
    # Within one delta an id has a row or a tombstone, never both.
    order = np.argsort(np.concatenate([of_rows, of_lost]), kind="stable")[::-1]
    _, first = np.unique(np.concatenate([rows, lost])[order], return_index=True)
    chosen = np.sort(order[first])
    return chosen[chosen < len(rows)], chosen[chosen >= len(rows)] - len(rows)
