"""A chapter of the demo: learned live, killed in the middle, and served to the last bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from recsys_embed.delta_log import DeltaLog, Head, open_log
from recsys_embed.errors import LogNotFoundError, RecsysEmbedError
from recsys_embed.snapshot import Snapshot, open_snapshot
from training.online.folder import OnlineFolder, clear
from training.served import Served

CONFIG = Path("configs/online-retail/online.toml")
SPEED = 2_000_000.0  # seconds of the shop's year in a second
KILL_AT = 6  # entries
IDS_AT_ONCE = 4096
PATIENCE_S = 60.0


def tell_online(
    console: Console, output: Path, config: Path = CONFIG, speed: float = SPEED
) -> None:
    """Replays the year as a stream, kills the trainer, and compares what is served in the end."""
    console.print()
    console.rule("8  The same year as a stream, learned and served while it happens", align="left")
    clear(output)
    log = open_log(OnlineFolder(output).log)
    command = ["online", str(config), "--output", str(output), "--set", f"source.speed={speed}"]
    console.print(
        f"recsys-train {' '.join(command)}\nImpressions and outcomes are joined, predicted and"
        " learned; every second what has changed goes to a delta log.",
        soft_wrap=True,
    )
    trainer = Trainer(command)
    try:
        trainer.wait_for(log, 1)
        with Served("--follow", OnlineFolder(output).log) as served:
            console.print(f"recsys-serve --follow {log} answers at {served.url}")
            killed = trainer.wait_for(log, KILL_AT)
            trainer.kill()
            console.print(f"[bold]kill -9[/bold] of the trainer at entry {killed.number}; again:")
            trainer = Trainer(command)
            trainer.finish()
            told = prove(log, open_snapshot(OnlineFolder(output).snapshots), served)
            console.print(told, soft_wrap=True)
    finally:
        trainer.kill()


def prove(log: DeltaLog, snapshot: Snapshot, served: Served) -> str:
    """Compares every row of the trainer's last snapshot with what is served; says what it found.

    Raises:
        RecsysEmbedError: if anything differs.
    """
    head, position = log.head(), snapshot.extra["position"]
    version, deadline = f"{head.lineage}:{head.number}", time.monotonic() + PATIENCE_S
    while served.version() != version:
        if time.monotonic() > deadline:
            raise RecsysEmbedError(f"expected {version} to be served, found {served.version()}")
        time.sleep(0.05)
    compared = sum(compare(snapshot, name, served) for name in snapshot.tables)
    return (
        f"{position['records']:,} records read, {position['trained']:,} events learned, each once."
        f" Served is entry {head.number} of the lineage that began before the kill:"
        f" {compared:,} of {compared:,} rows in {len(snapshot.tables)} tables have the same bits as"
        " the trainer's, and there are no others."
    )


def compare(snapshot: Snapshot, name: str, served: Served) -> int:
    """Compares the rows of a table; gives how many there are.

    Raises:
        RecsysEmbedError: naming the table, if any differs.
    """
    table = snapshot.tables[name]
    for block in table.rows(rows_per_block=IDS_AT_ONCE):
        if served.vectors(name, np.array(block.ids)) != block.weights.tobytes():
            raise RecsysEmbedError(f"rows of table {name!r} are served with other bits")
    if (rows := served.rows(name)) != table.num_rows:
        raise RecsysEmbedError(
            f"expected {table.num_rows:,} rows of table {name!r}, {rows:,} are served"
        )
    return table.num_rows


class Trainer:
    """A `recsys-train` in a process of its own, which shows its dashboard on this terminal."""

    def __init__(self, arguments: list[str]) -> None:
        sys.stdout.flush()
        self._process = subprocess.Popen([sys.executable, "-m", "training.cli", *arguments])

    def wait_for(self, log: DeltaLog, number: int) -> Head:
        """Waits until the log has an entry; gives its head then.

        Raises:
            RecsysEmbedError: if the trainer ends before.
        """
        while self._process.poll() is None:
            try:
                if (head := log.head()).number >= number:
                    return head
            except LogNotFoundError:
                pass  # it is still importing
            time.sleep(0.02)
        raise RecsysEmbedError(f"the trainer ended with {self._process.returncode} too soon")

    def kill(self) -> None:
        """Ends it at once; a process that has ended stays so."""
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def finish(self) -> None:
        """Waits for its end.

        Raises:
            RecsysEmbedError: if it ends badly.
        """
        if status := self._process.wait():
            raise RecsysEmbedError(f"the trainer ended with {status}")
