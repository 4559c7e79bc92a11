"""The online loop, top to bottom: read, join, predict, learn, publish."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from training.batches import make_batch
from training.events import evaluated
from training.interruption import Interruption
from training.online.config import OnlineConfig
from training.online.publishing import Publisher
from training.online.records import events_of, usable
from training.online.sources import Source
from training.online.state import OnlineState
from training.step import train_step

PAUSE_S = 0.05  # the longest wait for records, so that what is due is seen to
MAX_MOVES = 16_384  # rows that compaction may move at once

Record = dict[str, Any]


@dataclass
class Loop:
    """Learns from a source until it is done or told to stop; publishes as it goes.

    Args:
        state: of the run.
        source: at the state's offset.
        publisher: of the state.
        on_step: called after each turn, for whoever watches.
        on_window: called with the figures of each full window.
        max_events: stop behind so many events; None: never.
    """

    state: OnlineState
    source: Source
    publisher: Publisher
    on_step: Callable[["Loop"], None]
    on_window: Callable[[Record], None]
    max_events: int | None = None
    _is_dry: bool = False  # whether the source gave less than was asked for
    _waiting_since_s: float = field(default_factory=time.monotonic)

    def run(self, interruption: Interruption) -> None:
        """Goes on until the source is done, `max_events` are learned, or a signal came.

        Raises:
            FencedError: if another trainer took the log.
            SourceLostError: if the source has lost records that were not read yet.
        """
        while not self._is_over() and interruption.signal_number is None:
            self._take_in()
            self._learn()
            self.publisher.tend()
            if self.publisher.durable_offset is not None:
                self.source.forget(self.publisher.durable_offset)
                self.publisher.durable_offset = None
            self.on_step(self)
        if interruption.signal_number is None and not self._is_enough():
            self._learn_rest(interruption)
        self.on_step(self)

    @property
    def config(self) -> OnlineConfig:
        """Of the run."""
        return self.state.config

    def _is_over(self) -> bool:
        done = self.source.is_done and len(self.state.queue) < self.config.train.batch_size
        return done or self._is_enough()

    def _is_enough(self) -> bool:
        return self.max_events is not None and self.state.position.trained >= self.max_events

    def _take_in(self) -> None:
        """Reads and joins, unless enough for a step waits already."""
        size, state = self.config.train.batch_size, self.state
        if len(state.queue) >= size or self.source.is_done:
            return
        wait_s = min(PAUSE_S, self.publisher.due_s())
        if len(state.queue):
            wait_s = min(wait_s, self.config.train.wait_s)
        chunk = self.source.read(size, wait_s)
        self._is_dry = not self.source.is_done and (chunk is None or len(chunk) < size)
        if chunk is not None:
            state.position.offset = dict(chunk.offset)
            state.position.records += len(chunk)
            self._join(state.joiner.add(chunk.records))

    def _join(self, events: pl.DataFrame) -> None:
        """Takes joined events up for training, those that the sampling keeps."""
        state = self.state
        if not len(events):
            return
        kept = events.filter(self.config.negatives.kept(events))
        state.position.left_out += len(events) - len(kept)
        for name, sql in self.config.derive.items():
            kept = kept.with_columns(evaluated(kept, sql, f"derive.{name}").alias(name))
        fine = kept.filter(usable(kept, state.dense))
        state.position.unusable += len(kept) - len(fine)
        if not len(state.queue):
            self._waiting_since_s = time.monotonic()
        state.queue.push(fine)

    def _learn(self) -> None:
        """Takes a step if there is a batch, or one that has waited long enough.

        While the source has more, batches are full: a replay as fast as it goes has the same ones
        however often it is interrupted, and so gives the same bits.
        """
        queue, train = self.state.queue, self.config.train
        has_waited = time.monotonic() - self._waiting_since_s >= train.wait_s
        if len(queue) >= train.batch_size or (self._is_dry and len(queue) and has_waited):
            self._step(queue.take(train.batch_size))
            self._waiting_since_s = time.monotonic()

    def _learn_rest(self, interruption: Interruption) -> None:
        """Gives up waiting for outcomes: nothing will come any more."""
        self._join(self.state.joiner.finish())
        while len(self.state.queue) and interruption.signal_number is None:
            self._step(self.state.queue.take(self.config.train.batch_size))
            self.publisher.tend()
            self.on_step(self)
        if not len(self.state.queue) and (figures := self.state.window.close()) is not None:
            self._tell(figures)

    def _step(self, frame: pl.DataFrame) -> None:
        state, config = self.state, self.config
        events = events_of(frame, state.features, state.dense)
        batch = make_batch(events, np.arange(len(events)), state.model.features)
        batch = batch._replace(time=self._clock(batch.time))
        logits = train_step(state.model, state.optimizer, batch, config.negatives.offset)
        position = state.position
        position.trained, position.steps = position.trained + len(events), position.steps + 1
        if position.steps % config.train.expire_every == 0:
            for table in state.tables.values():
                table.expire()
                table.compact(MAX_MOVES)
        figures = state.window.add(logits, events.labels, config.negatives.weights(events.labels))
        if figures is not None:
            self._tell(figures)

    def _clock(self, time_s: int | None) -> int | None:
        """Never goes back: outcomes come in another order than what they are of."""
        position = self.state.position
        position.time_s = max(t for t in (time_s, position.time_s, 0) if t is not None)
        return position.time_s

    def _tell(self, figures: Any) -> None:
        position = self.state.position
        counts = {"trained": position.trained, "time_s": position.time_s}
        counts["rows"] = sum(len(table) for table in self.state.tables.values())
        self.on_window({**counts, **figures._asdict()})
