"""A reproduction on the terminal: how far it is, and published beside obtained."""

import time

from rich.console import Console
from rich.table import Table

from training.reproduce.experiment import Claim, Experiment, Outcome, Row, Rows


class Progress:
    """Says after each run what came of it and how long the rest will take."""

    def __init__(self, console: Console, total: int, experiment: Experiment) -> None:
        self._console, self._total = console, total
        self._metric = next(iter(experiment.metrics))
        self._heading = experiment.metrics[self._metric]
        self._began, self._done = time.monotonic(), 0

    def say(self, case: str, seed: int, outcome: Outcome, seconds: float) -> None:
        """Tells of a run that is over."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        self._console.print(
            f"{self._done} of {self._total}: {case}, seed {seed}: {self._heading}"
            f" {outcome.metrics[self._metric]:.4f} in {seconds:.0f} s; about"
            f" {left / 60:.0f} min left",
            soft_wrap=True,
        )


def table_of(experiment: Experiment, rows: Rows) -> Table:
    """Lays published figures beside obtained ones; percent is of the first case's parameters."""
    table = Table(title=experiment.summary)
    table.add_column("case", no_wrap=True)
    for heading in ("rows", "numbers", "%"):
        table.add_column(heading, justify="right")
    told = {metric for row in rows.values() for metric in row.published}
    for metric, heading in experiment.metrics.items():
        table.add_column(heading, justify="right")
        if metric in told:
            table.add_column("published", justify="right")
    most = max((row.parameters for row in rows.values()), default=1.0)
    for row in rows.values():
        figures = []
        for metric in experiment.metrics:
            figures.append(obtained(row, metric))
            if metric in told:
                figures.append(published(row, metric))
        size = (f"{row.rows:,.0f}", f"{row.parameters:,.0f}", f"{row.parameters / most:.1%}")
        table.add_row(row.case, *size, *figures)
    return table


def obtained(row: Row, metric: str) -> str:
    """Gives "mean ± std", or the value of one seed."""
    if metric not in row.outcomes[0].metrics:
        return "-"
    if len(row.outcomes) == 1:
        return f"{row.mean(metric):.4f}"
    return f"{row.mean(metric):.4f} ± {row.std(metric):.4f}"


def published(row: Row, metric: str) -> str:
    """Gives the published figure with at least three digits, as papers do."""
    if metric not in row.published:
        return "-"
    value = row.published[metric]
    return max(f"{value:.3f}", f"{value:g}", key=len)


def say_claims(console: Console, claims: list[Claim]) -> None:
    """Says of each claim whether it was met."""
    for claim in claims:
        console.print(str(claim), soft_wrap=True, highlight=False)
