"""A delta in memory: for every table the rows that changed and the ids that went."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.arrays import as_array
from recsys_embed.changes import Changes
from recsys_embed.config import near
from recsys_embed.deltas.codecs import CODECS, Coded, decode_weights, encode_weights
from recsys_embed.deltas.digests import config_digest
from recsys_embed.errors import InputError

Arrays = Mapping[str, NDArray[Any]]
TRAINING_COLUMNS = ("state", "last_seen", "count", "feature", "seq")


@dataclass(frozen=True, eq=False)
class Training:
    """What training needs beside the weights: further columns of the rows, counters, admission."""

    columns: Arrays  # by TRAINING_COLUMNS
    counters: dict[str, int]
    admission: Arrays


@dataclass(frozen=True, eq=False)
class TableDelta:
    """The changes of one table in the writing calls (prev_seq, seq].

    Args:
        config: digest of the table's config.
        codec: how `coded` spells the weights.
        ids: rows that changed, int64 (n,); `coded` holds their weights.
        tombstones: ids that had a row and have none at `seq`, int64 (t,), with `reasons` uint8.
        training: None in a delta that only serving can apply.
    """

    config: str
    codec: str
    dim: int
    prev_seq: int
    seq: int
    clock_s: int
    ids: NDArray[np.int64]
    coded: Coded
    tombstones: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    training: Training | None = None

    @property
    def weights(self) -> NDArray[np.float32]:
        """The rows' weights, float32 (n, dim), decoded."""
        return decode_weights(self.coded)


@dataclass(frozen=True, eq=False)
class Delta:
    """The content of one entry of a log: changes of tables, one right after the other.

    Args:
        lineage: of the log, a UUID.
        number, prev: of this entry and of the one before it.
        token: the writer's fencing number.
        created_s: seconds since the epoch.
        tables: changes by table name.
        dense: further arrays, such as the weights of the dense layers; none if they stay.
        extra: further values of plain JSON types, such as offsets of the source.
    """

    lineage: str
    number: int
    prev: int
    token: int
    created_s: float
    tables: Mapping[str, TableDelta]
    dense: Arrays = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.prev < self.number:
            raise InputError(
                f"a delta's number must be above that of the one before it, got number"
                f" {self.number} and prev {self.prev}"
            )

    @staticmethod
    def of(
        changes: Mapping[str, Changes],
        *,
        lineage: str,
        number: int,
        token: int = 0,
        codec: str = "fp32",
        state: bool = False,
        dense: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        created_s: float | None = None,
    ) -> "Delta":
        """Reads the changes of tables, which stay open.

        Args:
            changes: unread changes by table name.
            codec: "fp32", "fp16" or "int8" for the weights.
            state: whether training can go on from it as well; it needs fp32, and changes taken
                with `admission=True`.
            lineage, number, token, dense, extra, created_s: as in the delta; now, if None.

        Raises:
            InputError: for a codec that is none or does not fit, or changes read before.
        """
        if codec not in CODECS:
            raise InputError(f"there is no codec {codec!r}; {near(codec, list(CODECS))}")
        if state and codec != "fp32":
            raise InputError(f"training state is kept bit for bit: it needs fp32, got {codec!r}")
        return Delta(
            lineage=lineage,
            number=number,
            prev=number - 1,
            token=token,
            created_s=time.time() if created_s is None else created_s,
            tables={name: table_delta(one, codec, state) for name, one in changes.items()},
            dense={name: as_array(array) for name, array in (dense or {}).items()},
            extra=dict(extra or {}),
        )


def table_delta(changes: Changes, codec: str, state: bool) -> TableDelta:
    """Reads the changes of one table."""
    config, lost = changes.config, changes.tombstones
    if state and config.admission.kind != "probabilistic" and not changes.admission:
        raise InputError(
            f"a delta with state needs the admission state of table {config.name!r};"
            " take its changes with admission=True"
        )
    rows = changes.rows()
    columns = {name: getattr(rows, name) for name in TRAINING_COLUMNS}
    return TableDelta(
        config=config_digest(config),
        codec=codec,
        dim=config.dim,
        prev_seq=changes.since,
        seq=changes.seq,
        clock_s=changes.clock_s,
        ids=rows.ids,
        coded=encode_weights(codec, rows.weights, rows.ids),
        tombstones=lost.ids,
        reasons=lost.reasons,
        training=Training(columns, changes.counters, changes.admission) if state else None,
    )
