"""What a run came to: a table to read, a curve to look at, a summary for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table

from recsys_embed.config import to_dict
from recsys_embed.retrieval.description import Bridge
from recsys_embed.retrieval.relevance_fitting import Fitted
from training.folder import to_json
from training.retrieval.evaluation import Evaluation
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.learning import Learned, Progress
from training.retrieval.towers.live import Lived

SEGMENTS = ("head", "torso", "tail", "unseen")


@dataclass(frozen=True)
class Figures:
    """What a run came to.

    Args:
        tower_version: of what was written.
        snapshot: where.
        learned: the epoch that was kept, its validation recall, and all epochs.
        test: of the test part, by who recommends and by k.
        related: of items that ask for the rest of their basket; empty if that was not learned.
        chance: recall of as many items as the larger k, drawn at random.
        relevance: how well probabilities are known; None for several interests.
        bridge: to an older tower version, if one was asked for.
        lived: what came of going on behind the train part, if that was asked for.
        seconds: by what was done.
    """

    tower_version: str
    snapshot: str
    learned: Learned
    test: Mapping[str, Mapping[int, Evaluation]]
    related: Mapping[str, Evaluation]
    chance: float
    relevance: Fitted | None
    bridge: Bridge | None
    lived: Lived | None
    seconds: Mapping[str, float]


def record_of(point: Progress, k: int) -> dict[str, Any]:
    """Gives an epoch as a line of metrics.jsonl."""
    return {"epoch": point.epoch, "loss": point.loss, f"validation_recall@{k}": point.validation}


def write_summary(path: Path, config: RetrievalConfig, figures: Figures) -> None:
    """Writes the figures and the whole config as JSON."""
    relevance = figures.relevance
    summary = {
        "name": config.name,
        "tower_version": figures.tower_version,
        "snapshot": figures.snapshot,
        "best_epoch": figures.learned.epoch,
        f"validation_recall@{config.k}": figures.learned.validation,
        "test": {
            name: {str(k): plain(found) for k, found in at.items()}
            for name, at in figures.test.items()
        },
        "chance_recall": figures.chance,
        "related": {name: plain(found) for name, found in figures.related.items()},
        "relevance": None
        if relevance is None
        else {
            "log_loss": relevance.log_loss,
            "global_log_loss": relevance.global_log_loss,
            "queries": relevance.queries,
        },
        "bridge": None if figures.bridge is None else to_dict(figures.bridge),
        "live": None if figures.lived is None else figures.lived._asdict(),
        "seconds": dict(figures.seconds),
        "config": to_dict(config),
    }
    path.write_text(json.dumps(to_json(summary), indent=2) + "\n")


def plain(found: Evaluation) -> dict[str, Any]:
    """Gives an evaluation as plain values."""
    return {
        **found.all._asdict(),
        "segments": {name: one._asdict() for name, one in found.segments.items()},
        "coverage": found.coverage,
        "popularity_bias": found.popularity_bias,
        "gini": found.gini,
    }


def draw_curve(path: Path, curve: Sequence[Progress], k: int) -> None:
    """Draws loss and validation recall over epochs, as a PNG."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [point.epoch for point in curve]
    left.plot(epochs, [point.loss for point in curve], "o-")
    left.set(xlabel="epoch", ylabel="loss")
    right.plot(epochs, [point.validation for point in curve], "o-")
    right.set(xlabel="epoch", ylabel=f"validation recall@{k}")
    figure.savefig(path, dpi=120)


def tables_to_print(figures: Figures) -> Group:
    """Lays the figures out for a terminal."""
    parts = [_test(figures)] if figures.test else []
    return Group(*parts, *([_related(figures)] if figures.related else []))


def _test(figures: Figures) -> Table:
    headings = ("by", "k", "recall", "NDCG", "hits", *SEGMENTS, "covers", "bias")
    title = f"Test baskets (drawn at random: recall {figures.chance:.3f} at the larger k)"
    table = _table(title, headings)
    for name, at in figures.test.items():
        for k, found in at.items():
            values = [found.all.recall, found.all.ndcg, found.all.hit_rate]
            values += [found.segments[segment].recall for segment in SEGMENTS]
            values += [found.coverage, found.popularity_bias]
            table.add_row(name, str(k), *(f"{value:.3f}" for value in values))
    return table


def _related(figures: Figures) -> Table:
    headings = ("by", "recall", "NDCG", "covers", "bias")
    table = _table("Asked with an item for the rest of its basket", headings)
    for name, found in figures.related.items():
        values = (found.all.recall, found.all.ndcg, found.coverage, found.popularity_bias)
        table.add_row(name, *(f"{value:.3f}" for value in values))
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "by" else "right", no_wrap=True)
    return table
