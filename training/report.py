"""What a run came to: a table to read, a curve to look at, a summary for programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table

from recsys_embed import TableStats
from recsys_embed.config import to_dict
from training.config import RunConfig
from training.folder import to_json
from training.metrics import Metrics
from training.recommender import Recommender
from training.state import Record

CURVES = {"auc": "AUC", "log_loss": "log loss", "rows": "rows of all tables"}


class Result(NamedTuple):
    """What a run came to.

    `seconds` of training and `examples_per_s` are of this process alone; `snapshot_s` is the time
    its snapshot took to write; `model` is as it was written.
    """

    validation: Metrics
    test: Metrics
    steps: int
    examples: int
    best_step: int
    seconds: float
    examples_per_s: float
    tables: dict[str, TableStats]
    snapshot: Path
    snapshot_s: float
    model: Recommender
    records: Sequence[Record]


def write_summary(path: Path, config: RunConfig, result: Result) -> None:
    """Writes the figures and the whole config as JSON."""
    summary: dict[str, Any] = {
        "name": config.name,
        "validation": result.validation._asdict(),
        "test": result.test._asdict(),
        "steps": result.steps,
        "examples": result.examples,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        "examples_per_s": round(result.examples_per_s, 1),
        "tables": {name: stats._asdict() for name, stats in result.tables.items()},
        "snapshot": str(result.snapshot),
        "config": to_dict(config),
    }
    path.write_text(json.dumps(to_json(summary), indent=2) + "\n")


def draw_curve(path: Path, records: Sequence[Record]) -> None:
    """Draws AUC, log loss and the number of rows over examples, as a PNG."""
    figure = Figure(figsize=(13, 3.5), layout="constrained")
    for axes, key in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for part, style in (("train", "-"), ("validation", "o-")):
            points = [(r["examples"], r[key]) for r in records if r["part"] == part]
            axes.plot([x for x, _ in points], [y for _, y in points], style, label=part)
        axes.set(xlabel="examples trained on", ylabel=CURVES[key])
        axes.legend()
    figure.savefig(path, dpi=120)


def tables_to_print(result: Result) -> Group:
    """Lays the figures out for a terminal."""
    return Group(_figures(result), _tables(result))


def _figures(result: Result) -> Table:
    table = Table(title="Quality")
    for heading in ("part", "events", "AUC", "log loss", "normalized entropy", "calibration"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for part, m in (("validation", result.validation), ("test", result.test)):
        if m.events:
            values = (m.auc, m.log_loss, m.normalized_entropy, m.calibration)
            table.add_row(part, f"{m.events:,}", *(f"{v:.4f}" for v in values))
    return table


def _tables(result: Result) -> Table:
    table = Table(title="Tables")
    for heading in (
        "table",
        "rows",
        "MiB",
        "admitted",
        "filtered",
        "expired",
        "evicted",
        "hit rate",
    ):
        table.add_column(heading, justify="left" if heading == "table" else "right")
    for name, s in result.tables.items():
        counts = (f"{n:,}" for n in (s.admitted, s.filtered, s.expired, s.evicted))
        table.add_row(name, f"{s.rows:,}", f"{s.bytes / 2**20:.1f}", *counts, f"{s.hit_rate:.3f}")
    return table
