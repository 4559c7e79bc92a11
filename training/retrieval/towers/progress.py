"""How a run shows how it goes: a live bar on a terminal, plain lines elsewhere."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.retrieval.towers.bundle import ITEM_VECTORS
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.learning import Progress as Learning
from training.retrieval.towers.publishing import Entry
from training.retrieval.towers.running import Hears


class Shown(Hears):
    """Prints each epoch as it ends, and, on a terminal, a bar until then.

    Args:
        console: where to.
        config: of the run.
    """

    def __init__(self, console: Console, config: RetrievalConfig) -> None:
        self._config, self._console = config, console
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Shown":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begins(self, what: str) -> None:
        """Names on the bar what is done now."""
        self._progress.update(self._task, description=what, total=None)

    def learns(self, progress: Learning) -> None:
        """Moves the bar; prints the epoch at its end."""
        done = (progress.epoch - 1) * progress.pairs + progress.done
        total = self._config.train.epochs * progress.pairs
        self._progress.update(self._task, completed=done, total=total)
        if progress.validation is not None:
            self._console.print(
                f"epoch {progress.epoch}: loss {progress.loss:.4f},"
                f" validation recall@{self._config.k} {progress.validation:.4f}"
            )

    def tells(self, entry: Entry) -> None:
        """Says what an entry of the log told."""
        told = entry.rows.get(ITEM_VECTORS, 0)
        self._console.print(
            f"entry {entry.number}: {sum(entry.rows.values()):,} rows, of these {told:,} vectors of"
            f" items; {entry.new} items came, {entry.gone} went; {entry.size / 1024:,.0f} KiB",
            soft_wrap=True,
        )
