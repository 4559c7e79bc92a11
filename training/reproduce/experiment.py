"""What a reproduction is: cases to run with each seed, published figures, and claims to check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self

import numpy as np


class Outcome(NamedTuple):
    """What one run of one case came to.

    Args:
        metrics: of the test part, by name.
        rows: of all tables.
        parameters: all that the tables hold and need to be read, in numbers of four bytes: rows,
            importance weights, and what row maps were taught; not the dense layers.
        chosen: what the validation part decided, such as the epoch.
    """

    metrics: Mapping[str, float]
    rows: int
    parameters: int
    chosen: Mapping[str, float] = {}


@dataclass(frozen=True)
class Row:
    """All runs of one case, a seed each, at least one.

    Args:
        case: its name.
        outcomes: one a seed.
        published: what the paper or its repository says, by metric.
    """

    case: str
    outcomes: Sequence[Outcome]
    published: Mapping[str, float]

    def values(self, metric: str) -> list[float]:
        """Gives a metric of each run."""
        return [outcome.metrics[metric] for outcome in self.outcomes]

    def mean(self, metric: str) -> float:
        """Gives the mean over the seeds."""
        return float(np.mean(self.values(metric)))

    def std(self, metric: str) -> float:
        """Gives the sample standard deviation over the seeds; NaN for one seed."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    @property
    def parameters(self) -> float:
        """The mean of the runs'."""
        return float(np.mean([outcome.parameters for outcome in self.outcomes]))

    @property
    def rows(self) -> float:
        """The mean of the runs'."""
        return float(np.mean([outcome.rows for outcome in self.outcomes]))


Rows = Mapping[str, Row]


@dataclass(frozen=True)
class Claim:
    """A sentence that a number decides.

    Args:
        text: what is claimed.
        obtained: the number.
        least: it must not be below this.
        most: it must not be above this.
        why: the reason, where it is not met.
    """

    text: str
    obtained: float
    least: float = -float("inf")
    most: float = float("inf")
    why: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the number is within its bounds; NaN never is."""
        return self.least <= self.obtained <= self.most

    def __str__(self) -> str:
        bounds = [f">= {self.least:g}"] * (self.least > -float("inf"))
        bounds += [f"<= {self.most:g}"] * (self.most < float("inf"))
        verdict = "met" if self.is_met else "MISSED"
        why = f"; {self.why}" if self.why and not self.is_met else ""
        return f"{verdict}: {self.text}: {self.obtained:.4g} ({' and '.join(bounds)}){why}"


class Experiment(Protocol):
    """A reproduction; its fields are those of its file in configs/papers/.

    `metrics` names what the test part is measured by, the first being what the experiment is
    about, and their headings; `published` holds figures by case and metric.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    metrics: ClassVar[Mapping[str, str]]
    published: Mapping[str, Mapping[str, float]]

    @property
    def cases(self) -> Sequence[str]:
        """Names what is run with each seed, in order."""
        ...

    def run(self, case: str, seed: int) -> Outcome:
        """Trains, lets the validation part decide, and reads the test part once."""
        ...

    def quick(self) -> Self:
        """Gives the same in two minutes, its figures worth little."""
        ...

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Says what the paper or the project claims of these rows, and what came of it."""
        ...

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws the figures; may have nothing to draw."""
        ...
