"""The loop, top to bottom: read, train in order, evaluate, keep, and test once."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_embed import nn, set_num_threads
from recsys_embed.config import to_dict
from recsys_embed.errors import InputError
from recsys_embed.row_maps import RowMapConfig
from training.batches import Batch, batches
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import RunConfig
from training.events import Events, load_events
from training.folder import Folder
from training.interruption import Interrupted, Interruption
from training.learned import TrainingLog, learned
from training.metrics import Metrics, evaluate
from training.report import Result, draw_curve, write_summary
from training.reporting import Reporter, Silent
from training.splits import ColumnSplit, Parts
from training.state import Session
from training.step import predict, train_step

EVALUATION_BATCH = 4096


def train(
    config: RunConfig,
    output: Path,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
    data: tuple[Events, Parts] | None = None,
) -> Result:
    """Trains, evaluates and writes everything under `output`; equal configs give equal bits.

    Args:
        config: of the run.
        output: folder for checkpoints, snapshot, metrics, curve and summary; made if absent.
        resume: go on from the newest checkpoint there, to the result of a run that never stopped.
        reporter: who hears of the progress; nobody if None.
        data: what `read(config)` gives, where the caller has it already.

    Raises:
        InputError: for data that is not as described, or a folder that holds another run.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    folder = Folder(output, resume=resume)
    set_num_threads(config.train.threads or os.cpu_count() or 1)
    torch.set_num_threads(1)  # sums in the dense layers may depend on the number
    events, parts = data or read(config)
    session = Session(config, row_maps_of(config, events, parts))
    if resume:
        load_checkpoint(session, folder.checkpoints)
    loop = Loop(session, events, parts, folder, reporter or Silent())
    done, began = session.position.examples, time.monotonic()
    loop.run()
    seconds = time.monotonic() - began
    session.expire()
    written = time.monotonic()
    snapshot = nn.save(folder.snapshot, session.model, extra={"config": to_dict(config)}, keep=1)
    snapshot_s = time.monotonic() - written
    result = Result(
        validation=loop.evaluate(parts.validation),
        test=loop.evaluate(parts.test),
        steps=session.position.steps,
        examples=session.position.examples,
        best_step=session.position.best_step,
        seconds=seconds,
        examples_per_s=(session.position.examples - done) / seconds,
        tables={name: table.stats() for name, table in session.model.collection.tables.items()},
        snapshot=snapshot,
        snapshot_s=snapshot_s,
        model=session.model,
        records=session.position.records,
    )
    write_summary(folder.summary, config, result)
    draw_curve(folder.curve, result.records)
    return result


def read(config: RunConfig) -> tuple[Events, Parts]:
    """Reads the events of a config and divides them.

    Raises:
        InputError: if there is nothing to train on.
    """
    keep = [config.split.column] if isinstance(config.split, ColumnSplit) else []
    contents, features = config.contents, dict(config.features)
    features |= contents.features(features) if contents else {}
    events = load_events(
        config.data.read(), config.events, features, config.dense, keep=[*keep, *config.texts]
    )
    parts = config.split.parts(events)
    if not len(parts.train):
        raise InputError(f"the train part of {len(events):,} events is empty; look at [split]")
    if contents:
        columns = contents.columns(TrainingLog(events, parts.train, config.features_of))
        events = replace(events, dense=np.concatenate([events.dense, columns], axis=1))
    return events, parts


def row_maps_of(config: RunConfig, events: Events, parts: Parts) -> dict[str, RowMapConfig]:
    """Gives each table its row map; what has to be learned is, from the train part alone."""
    sources = {name: config.tables[name].row_map for name in config.features_of}
    return learned(sources, TrainingLog(events, parts.train, config.features_of))


class Loop:
    """Steps through the epochs of a session from wherever it is."""

    def __init__(
        self, session: Session, events: Events, parts: Parts, folder: Folder, reporter: Reporter
    ) -> None:
        self._session, self._events, self._parts = session, events, parts
        self._folder, self._reporter = folder, reporter
        self._train = session.config.train

    def run(self) -> None:
        """Trains until done; with patience, ends on the state that validated best.

        Raises:
            Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        """
        session, position = self._session, self._session.position
        self._folder.write_records(position.records)
        self._reporter.begin(self._train.epochs * len(self._parts.train), position.examples)
        try:
            with Interruption() as interruption:
                while not session.is_done:
                    self._epoch(interruption)
        finally:
            self._reporter.end()
        if self._train.patience:
            nn.load(self._folder.best, session.model)

    def evaluate(self, part: NDArray[np.int64]) -> Metrics:
        """Measures the model, as it is, on the events of a part."""
        model = self._session.model
        logits = predict(model, batches(self._events, part, EVALUATION_BATCH, model.features))
        return evaluate(logits, self._events.labels[part])

    def _epoch(self, interruption: Interruption) -> None:
        position = self._session.position
        for batch in self._remaining():
            self._step(batch)
            if interruption.signal_number is not None:
                save_checkpoint(self._session, self._folder.checkpoints)
                raise Interrupted(interruption.signal_number, position.steps)
            if self._session.is_done:
                return
        position.epoch, position.batch = position.epoch + 1, 0
        if not self._train.eval_every:
            self._validate()

    def _remaining(self) -> Iterator[Batch]:
        position, order = self._session.position, self._parts.train
        if self._train.order == "shuffled":
            order = np.random.default_rng([self._session.config.seed, position.epoch]).permutation(
                order
            )
        features = self._session.model.features
        return batches(self._events, order, self._train.batch_size, features, start=position.batch)

    def _step(self, batch: Batch) -> None:
        session, position = self._session, self._session.position
        logits = train_step(session.model, session.optimizer, batch)
        session.window.append((logits, batch.labels.numpy()))
        position.batch, position.steps = position.batch + 1, position.steps + 1
        position.examples += len(logits)
        if self._is_due(self._train.expire_every):
            session.expire()
        if self._is_due(self._train.window):
            self._close_window()
        if self._is_due(self._train.eval_every):
            self._validate()
        if self._is_due(self._train.checkpoint_every):
            save_checkpoint(session, self._folder.checkpoints)
        self._reporter.advance(position.examples)

    def _is_due(self, every: int) -> bool:
        return every > 0 and self._session.position.steps % every == 0

    def _close_window(self) -> None:
        logits, labels = (
            np.concatenate(arrays) for arrays in zip(*self._session.window, strict=True)
        )
        self._session.window.clear()
        self._record("train", evaluate(logits, labels))

    def _validate(self) -> None:
        if not len(self._parts.validation):
            return
        metrics = self.evaluate(self._parts.validation)
        self._record("validation", metrics)
        position, monitor = self._session.position, self._train.monitor
        if position.is_better(monitor, getattr(metrics, monitor)) and self._train.patience:
            nn.save(self._folder.best, self._session.model, keep=1)

    def _record(self, part: str, metrics: Metrics) -> None:
        position = self._session.position
        record = {
            "part": part,
            "step": position.steps,
            "examples": position.examples,
            "rows": sum(len(table) for table in self._session.model.collection.tables.values()),
            **metrics._asdict(),
        }
        position.records.append(record)
        self._folder.append_record(record)
        self._reporter.record(record)
