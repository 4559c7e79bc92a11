"""Impressions wait for their outcomes; what waits longer than the window has none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from training.online.joining.payload import Payload, in_order
from training.online.joining.state import dump, load
from training.online.joining.waiting import Counts, Resolved, Waiting
from training.online.records import OF_RECORD

State = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Join:
    """Says how long an impression and its outcome wait for each other.

    Args:
        window_s: seconds of event time until an impression without an outcome counts as label 0.
        memory_mib: of the columns of waiting impressions; what is beyond it waits on disk. Keys
            stay in memory besides, some 300 bytes each.
    """

    window_s: float
    memory_mib: int = 256

    def __post_init__(self) -> None:
        if not 0 <= self.window_s < float("inf") or self.memory_mib < 0:
            raise ConfigError(
                "a join needs window_s >= 0 and memory_mib >= 0, got"
                f" {self.window_s} and {self.memory_mib}"
            )


class Joiner:
    """Makes events of records; what comes out depends on the records, not on how they are cut.

    The *watermark* is the greatest time seen. An impression becomes an event with the label of the
    first outcome of its key, whichever comes first, or with label 0 once the watermark is beyond
    its time + window; an outcome that found no impression is given up just so. An impression whose
    key waits already is left out, as is an outcome. Records of type event pass at once. Keys may be
    used again when two windows have passed.

    What is resolved by one record comes in the order (time, arrival), before that record's own.

    Concurrency: one thread.

    Args:
        config: of the join.
        spill: folder for what is beyond the memory; made if absent. What an earlier joiner left
            there is removed.
    """

    def __init__(self, config: Join, spill: Path) -> None:
        self._config = config
        self._payload = Payload(spill, config.memory_mib << 20)
        self._waiting = Waiting(config.window_s)
        self._seen = 0
        self._schema: pl.Schema | None = None

    @property
    def counts(self) -> Counts:
        """What became of all records so far."""
        return self._waiting.counts

    @property
    def waiting(self) -> int:
        """How many impressions wait."""
        return len(self._waiting.impressions)

    @property
    def watermark(self) -> float:
        """The greatest time seen; -inf before the first record."""
        return self._waiting.watermark

    @property
    def spilled_bytes(self) -> int:
        """What waits on disk."""
        return self._payload.spilled_bytes

    def add(self, records: pl.DataFrame) -> pl.DataFrame:
        """Takes records, the columns of a chunk; gives the events that they resolve.

        Returns:
            Columns `key`, `time` (of the impression), `label`, then the others of the records.

        Raises:
            InputError: if the columns are not those of the records before.
            SpillError: if the disk takes no more.
        """
        self._check(records.schema)
        first, self._seen = self._seen, self._seen + len(records)
        resolved = self._waiting.resolve(records, first)
        events = self._events(records, first, resolved)
        if len(resolved.waiting):
            self._payload.append(records[resolved.waiting - first], resolved.waiting)
        return events

    def finish(self) -> pl.DataFrame:
        """Gives up waiting: every impression that waits becomes an event with label 0."""
        nothing = pl.DataFrame(schema=self._schema or OF_RECORD)
        return self._events(nothing, self._seen, self._waiting.finish())

    def state(self) -> State:
        """Gives all that `restore` needs to go on as this joiner would, spilled data included."""
        return dump(self._waiting, self._payload, self._schema, self._seen)

    def restore(self, state: State) -> None:
        """Takes the place of the joiner that gave this state."""
        self._payload.clear()
        self._waiting = Waiting(self._config.window_s)
        self._seen, frame, numbers = load(state, self._waiting)
        self._schema = frame.schema or None
        if len(frame):
            self._payload.append(frame, numbers)

    def close(self) -> None:
        """Removes what is on disk."""
        self._payload.clear()

    def _check(self, schema: pl.Schema) -> None:
        if self._schema is None:
            self._schema = schema
        if schema != self._schema:
            raise InputError(f"expected records of the columns {self._schema}, got {schema}")

    def _events(self, records: pl.DataFrame, first: int, resolved: Resolved) -> pl.DataFrame:
        """Gives the events of resolved records; those from `first` on are at hand."""
        is_here = resolved.numbers >= first
        frame = records[resolved.numbers[is_here] - first]
        if not is_here.all():
            waited = self._payload.take(resolved.numbers[~is_here])
            frame = in_order([waited, frame], is_here)
        label = pl.Series("label", resolved.labels)
        return frame.select("key", "time", label, pl.exclude("type", "key", "time", "label"))
