"""An online run on the terminal: a live table, or a line now and then where nobody looks."""

import contextlib
import sys
import time
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from training.online.loop import Record
from training.online.watching import Rates, Status, Watcher

LIVE_S, LINE_S = 0.5, 10.0
MIB = 2**20


class Plain:
    """Prints a line for each window of figures, and one every LINE_S seconds."""

    def __init__(self) -> None:
        self.due_s = 0.0

    def begin(self, status: Status) -> None:
        self._rates = Rates(status)
        self.due_s = time.monotonic() + LINE_S
        say(
            f"begins at entry {status.entry} of lineage {status.lineage},"
            f" {status.trained:,} events learned so far"
        )

    def hear(self, status: Status) -> None:
        self.due_s = time.monotonic() + LINE_S
        say(
            f"{status.trained:,} events, {self._rates.at(status):,.0f} a second; entry"
            f" {status.entry} of {status.entry_rows:,} rows; {behind(status)}"
            + (f"; {status.trouble}" if status.trouble else "")
        )

    def figures(self, record: Record) -> None:
        say(sentence(record))

    def end(self) -> None: ...


def say(line: str) -> None:
    """Prints a line; a reader that has gone, or a full disk, is no reason to stop learning."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


class Dashboard:
    """Keeps a table of all there is to know on the terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)
        self._figures = "after the first window"
        self.due_s = 0.0

    def begin(self, status: Status) -> None:
        self._rates = Rates(status)
        self._live.start()

    def hear(self, status: Status) -> None:
        self.due_s = time.monotonic() + LIVE_S
        self._live.update(self._table(status))

    def figures(self, record: Record) -> None:
        self._figures = sentence(record)

    def end(self) -> None:
        self._live.stop()

    def _table(self, status: Status) -> Table:
        table = Table(show_header=False)
        table.add_column("", style="bold")
        table.add_column("")
        for name, text in rows_of(status, self._rates.at(status), self._figures):
            table.add_row(name, text)
        return table


def rows_of(status: Status, rate: float, figures: str) -> list[tuple[str, str]]:
    """Says everything in words, a line for each stage that an event goes through."""
    lag = "" if status.source_lag is None else f", {status.source_lag:,} wait in the source"
    malformed = f", {status.malformed:,} malformed" if status.malformed else ""
    trouble = f"; {status.trouble}" if status.trouble else ""
    spilled = f", {status.spilled_bytes / MIB:,.0f} MiB on disk" if status.spilled_bytes else ""
    left_out = f", {status.left_out:,} negatives left out" if status.left_out else ""
    unusable = f", {status.unusable:,} passed over" if status.unusable else ""
    failures = f", {status.failures} FAILED" if status.failures else ""
    joined = (
        f"{status.joined:,} with an outcome, {status.missing:,} without, {status.late:,} late;"
        f" {status.waiting:,} wait{spilled}"
    )
    entry = (
        f"entry {status.entry} of {status.entry_rows:,} rows, {status.entry_bytes / MIB:.2f} MiB,"
        f" durable in {status.entry_s:.2f} s; {status.snapshots} snapshots{failures}"
    )
    rows = f"{status.rows:,}; {status.admitted:,} admitted, {status.expired:,} expired"
    return [
        ("event time", moment(status.time_s)),
        ("source", f"{status.records:,} records{lag}{malformed}{trouble}"),
        ("joined", joined),
        ("learned", f"{status.trained:,} events, {rate:,.0f} a second{left_out}{unusable}"),
        ("predicted", figures),
        ("rows", rows),
        ("log", entry),
        ("served", behind(status)),
    ]


def behind(status: Status) -> str:
    """Says who is how far behind."""
    if not status.replicas:
        return "nobody follows"
    return "; ".join(
        f"{name} must begin from a snapshot"
        if entries is None
        else f"{name} is {entries} entries and {seconds:.1f} s behind"
        for name, (entries, seconds) in status.replicas.items()
    )


def sentence(record: Record) -> str:
    """Says the figures of a window."""
    return (
        f"at {record['trained']:,} events: AUC {record['auc']:.4f}, log loss"
        f" {record['log_loss']:.4f}, calibration {record['calibration']:.3f}"
        f" over the last {record['events']:,}"
    )


def moment(time_s: int | None) -> str:
    """Spells a time of events."""
    if time_s is None:
        return "-"
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def for_terminal() -> Watcher:
    """Chooses the live table where standard output is a terminal, else plain lines."""
    return Dashboard(Console()) if sys.stdout.isatty() else Plain()
