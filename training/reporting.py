"""What a run says while it goes: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.state import Record

LINE_EVERY_S = 10.0


class Reporter(Protocol):
    """Follows one run."""

    def begin(self, examples: int, done: int) -> None:
        """Hears how many examples the run has, and how many an earlier one did."""
        ...

    def advance(self, examples: int) -> None:
        """Hears after each step how many examples are done in all."""
        ...

    def record(self, record: Record) -> None:
        """Hears each new point of the learning curve."""
        ...

    def end(self) -> None:
        """Hears that training is over, whatever the reason."""
        ...


class Silent:
    """Says nothing."""

    def begin(self, examples: int, done: int) -> None: ...
    def advance(self, examples: int) -> None: ...
    def record(self, record: Record) -> None: ...
    def end(self) -> None: ...


class Live:
    """Draws a bar with rate, time left and the last figures."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._figures = ""

    def begin(self, examples: int, done: int) -> None:
        columns = (
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self._progress = Progress(*columns, console=self._console)
        self._task = self._progress.add_task(
            "", total=examples, completed=done, rate="", figures=""
        )
        self._rate = Rate(done)
        self._progress.start()

    def advance(self, examples: int) -> None:
        rate = f"{self._rate.at(examples):,.0f} examples/s"
        self._progress.update(self._task, completed=examples, rate=rate, figures=self._figures)

    def record(self, record: Record) -> None:
        self._figures = sentence(record)
        if record["part"] != "train":
            self._progress.console.print(self._figures)

    def end(self) -> None:
        self._progress.stop()


class Plain:
    """Prints a line when an evaluation is done, and one every LINE_EVERY_S seconds."""

    def begin(self, examples: int, done: int) -> None:
        self._total, self._rate, self._due = examples, Rate(done), time.monotonic() + LINE_EVERY_S
        self._figures = ""

    def advance(self, examples: int) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LINE_EVERY_S
        rate = self._rate.at(examples)
        left = (self._total - examples) / rate if rate else float("inf")
        print(
            f"{examples:,} of {self._total:,} examples, {rate:,.0f} examples/s,"
            f" {left:,.0f} s left; {self._figures}",
            flush=True,
        )

    def record(self, record: Record) -> None:
        self._figures = sentence(record)
        if record["part"] != "train":
            print(self._figures, flush=True)

    def end(self) -> None: ...


class Rate:
    """Measures examples a second since it was made."""

    def __init__(self, done: int) -> None:
        self._done, self._began = done, time.monotonic()

    def at(self, examples: int) -> float:
        """Returns the mean rate so far."""
        return (examples - self._done) / max(time.monotonic() - self._began, 1e-9)


def sentence(record: Record) -> str:
    """Says a point of the learning curve in words."""
    return (
        f"{record['part']} at {record['examples']:,} examples: AUC {record['auc']:.4f},"
        f" log loss {record['log_loss']:.4f}"
    )


def for_terminal() -> Reporter:
    """Chooses the live bar where standard output is a terminal, else plain lines."""
    return Live(Console()) if sys.stdout.isatty() else Plain()
