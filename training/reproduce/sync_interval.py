"""What it costs to serve what training knew a while ago.

Liu et al., Monolith, arXiv 2209.07663, §3.1.2, algorithm 1, and §3.2.2, table 2: a model trained on
the past serves while training goes on, and gets what training changed every so often. Criteo's log
as it is public has no times; these logs have them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from training.metrics import auc, log_loss
from training.reproduce.drawing import over_size
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.streams import one_id, stream_config, stream_data
from training.reproduce.sync_claims import claims_of_dense, claims_of_rows
from training.reproduce.synchronized import BATCH, Served, serve
from training.reproduce.within_groups import auc_within


@dataclass(frozen=True)
class SyncInterval:
    """Configures the reproduction.

    Args:
        streams: values of a `RunConfig` by data set; the test part is the online one.
        users: by stream, the feature that says whose events they are.
        intervals: seconds of event time between synchronizations by name, the longest first.
        dense: those of the dense layers by name; 0: at every synchronization.
        phases: by an interval's name, how many copies synchronize at moments of their own, spread
            evenly over it, the mean of whose figures counts; 1, if it is not there.
        windows: of equal numbers of events, over which AUC is averaged.
        seeded: dotted keys that get the seed, besides `seed`.
        events: of a stream; 0: all.
        published: figures by case.
    """

    kind: ClassVar[str] = "sync-interval"
    summary: ClassVar[str] = "serving what training knew 5 hours to 1 second ago"
    metrics: ClassVar[Mapping[str, str]] = {
        "gain": "AUC above batch",
        "auc": "AUC, mean of windows",
        "pooled": "AUC, pooled",
        "within": "AUC within users",
        "log_loss": "log loss",
        "sent": "M rows sent",
    }
    streams: Mapping[str, Mapping[str, Any]]
    users: Mapping[str, str]
    intervals: Mapping[str, int]
    dense: Mapping[str, int]
    phases: Mapping[str, int] = field(default_factory=dict)
    windows: int = 50
    seeded: tuple[str, ...] = ()
    events: int = 0
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.users.keys() != self.streams.keys():
            raise ConfigError(
                f"users must name a feature of each of {sorted(self.streams)},"
                f" got {sorted(self.users)}"
            )
        lengths = list(self.intervals.values())
        if lengths != sorted(lengths, reverse=True) or min(lengths, default=0) < 1:
            raise ConfigError(f"intervals must be at least 1 and fall, got {lengths}")
        if not self.dense or min(self.dense.values()) < 0 or self.windows < 1:
            raise ConfigError("expected schedules of dense layers, none below 0, and windows >= 1")
        if not set(self.phases) <= set(self.intervals) or min(self.phases.values(), default=1) < 1:
            raise ConfigError(f"phases must be at least 1 of intervals, got {dict(self.phases)}")

    @property
    def copies(self) -> Sequence[str]:
        """Every copy that serves."""
        return [BATCH, *(f"{name},{dense}" for name in self.intervals for dense in self.dense)]

    @property
    def cases(self) -> Sequence[str]:
        """Every copy in every stream."""
        return [f"{stream} {copy}" for stream in self.streams for copy in self.copies]

    def run(self, case: str, seed: int) -> Outcome:
        """Measures one copy; all copies of a stream and seed follow the same training."""
        stream, copy = case.split()
        served = self._served(stream, seed)
        labels = served.events.labels[served.order]
        users = one_id(served.events, self.users[stream], served.order)
        runs = [self._figures(logits, labels, users) for logits in served.logits[copy]]
        figures = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        (batch,) = served.logits[BATCH]
        figures["gain"] = figures["auc"] - self._mean_auc(batch, labels)
        figures["sent"] = served.rows_sent[copy] / 1e6
        in_order = {name: figures[name] for name in self.metrics}
        return Outcome(in_order, served.rows, served.parameters)

    def _figures(
        self, logits: NDArray[np.float32], labels: NDArray[np.float32], users: NDArray[np.int64]
    ) -> dict[str, float]:
        return {
            "auc": self._mean_auc(logits, labels),
            "pooled": auc(logits, labels),
            "within": auc_within(logits, labels, users),
            "log_loss": log_loss(logits, labels),
        }

    def _mean_auc(self, logits: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
        windows = np.array_split(np.arange(len(labels)), min(self.windows, len(labels)))
        return float(np.nanmean([auc(logits[w], labels[w]) for w in windows]))

    def _served(self, stream: str, seed: int) -> Served:
        key = repr((self, stream, seed))
        if key not in _kept:
            _kept.clear()
            config = stream_config(self.streams, stream, seed, self.seeded)
            data = stream_data(config, self.events)
            _kept[key] = serve(config, *data, self.intervals, self.dense, self.phases)
        return _kept[key]

    def quick(self) -> Self:
        """Takes few events."""
        return replace(self, events=4_500, windows=5)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Says what the paper does of fresh rows and of stale dense layers."""
        return [
            *claims_of_rows(rows, list(self.streams), list(self.intervals), list(self.dense)),
            *claims_of_dense(rows, list(self.streams), list(self.intervals), self.dense),
        ]

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws AUC over the interval, a panel for each stream, batch training as a line."""
        figure = Figure(figsize=(5 * len(self.streams), 4), layout="constrained")
        panels = figure.subplots(1, len(self.streams), squeeze=False)[0]
        for axes, stream in zip(panels, self.streams, strict=True):
            own = {case: row for case, row in rows.items() if case.split()[0] == stream}
            if batch := own.pop(f"{stream} {BATCH}", None):
                axes.axhline(batch.mean("auc"), color="0.6", label=BATCH)
            over_size(axes, own, "auc", lambda row: self._seconds(row.case), dense_of)
            axes.set(title=stream, xscale="log", xlabel="seconds between synchronizations")
            axes.set_ylabel(self.metrics["auc"])
            axes.legend()
        figure.savefig(path, dpi=120)

    def _seconds(self, case: str) -> int:
        return self.intervals[case.split()[1].partition(",")[0]]


def dense_of(case: str) -> str:
    """Gives the schedule of a case's dense layers.

    Example:
        >>> dense_of("movielens-100k 1min,dense-1d")
        'dense-1d'
    """
    return case.partition(",")[2]


_kept: dict[str, Served] = {}
