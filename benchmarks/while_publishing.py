"""Training while it publishes and while it writes snapshots, against training alone."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, speedup
from benchmarks.planted_stream import write_config, write_events
from recsys_embed.delta_log import open_log
from training.interruption import Interruption
from training.online.beginning import begin
from training.online.config import OnlineConfig, load_online
from training.online.folder import OnlineFolder
from training.online.loop import Loop
from training.online.publishing import Publisher
from training.online.running import set_threads
from training.online.sources import Source
from training.online.state import OnlineState

RETAIL = Path("configs/online-retail/online.toml")
NEVER = 1e9
WARMUP = 50  # steps


class Run:
    """An online run in this process, its steps timed."""

    def __init__(self, config: OnlineConfig, source: Source, folder: Path) -> None:
        set_threads(config)
        self.folder = OnlineFolder(folder)
        self.state = OnlineState(config, self.folder.spill)
        self.source = source
        self.ends: list[float] = []
        self.trained: list[int] = []
        self.is_saving: list[bool] = []

    def go(self, max_events: int) -> None:
        """Learns so many events, then publishes all."""
        log = open_log(self.folder.log)
        chain = begin(self.state, log, self.folder, ready=lambda: self.source.seek(None))
        publisher = Publisher(self.state, chain, self.folder)
        loop = Loop(self.state, self.source, publisher, self._step, lambda _: None, max_events)
        with Interruption() as interruption:
            loop.run(interruption)
            publisher.finish()
        log.close()

    def _step(self, loop: Loop) -> None:
        self.ends.append(time.perf_counter())
        self.trained.append(loop.state.position.trained)
        self.is_saving.append(loop.publisher.is_saving)

    def rate(self) -> float:
        """Events a second between the first step and the last."""
        begun = next(k for k, trained in enumerate(self.trained) if trained)
        return (self.trained[-1] - self.trained[begun]) / (self.ends[-1] - self.ends[begun])


def publishing(max_events: int, rounds: int) -> Iterator[Result]:
    """Events a second with an entry a second, against none at all, on a year of retail data."""
    config = load_online(RETAIL)
    often = replace(config, snapshot=replace(config.snapshot, every_s=NEVER))
    never = replace(often, publish=replace(config.publish, every_s=NEVER))
    source, pairs = config.source.open(dict(config.features), config.dense), []
    for number in range(rounds):
        order = (often, never) if number % 2 else (never, often)
        rates = {}
        for each in order:
            with tempfile.TemporaryDirectory() as folder:
                run = Run(each, source, Path(folder))
                run.go(max_events)
                rates[each.publish.every_s] = run.rate()
        pairs.append((1 / rates[often.publish.every_s], 1 / rates[NEVER]))
    yield speedup("train_events_s_publishing_vs_not", pairs, 1.0, "events/s", 0.9)


def saving(num_rows: int, dim: int, max_events: int, every_s: float) -> Iterator[Result]:
    """The longest step while a snapshot is written, less the usual one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_events(folder / "log.parquet", max_events, num_rows)
        path = write_config(
            folder, "replay", dim=dim, snapshot_s=every_s, log=folder / "log.parquet"
        )
        config = load_online(path)
        source = config.source.open(dict(config.features), config.dense)
        run = Run(config, source, folder / "run")
        rng = np.random.default_rng(0)
        for ids in np.array_split(np.arange(num_rows), 20):
            values = rng.standard_normal((len(ids), dim), np.float32)
            run.state.tables["user"].assign(ids, values, time=1_700_000_000)
        run.go(max_events)
        steps, saving = 1000 * np.diff(run.ends)[WARMUP:], np.array(run.is_saving[1:])[WARMUP:]
    if not saving.any():
        raise RuntimeError("no snapshot was written while training went on; give it more events")
    usual = float(np.median(steps[~saving]))
    stall, alone = (float(steps[which].max()) - usual for which in (saving, ~saving))
    yield Result("snapshot_stall_ms", stall, "ms", target=50.0, at_most=True)
    yield Result("stall_without_snapshot_ms", alone, "ms")
    yield Result("usual_step_ms", usual, "ms", ours=float(np.median(steps[saving])), peer=usual)
