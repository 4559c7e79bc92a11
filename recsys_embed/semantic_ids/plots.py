"""Pictures of codebooks: how items use them, and how an RQ-VAE learned them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from recsys_embed.semantic_ids.health import Health, bucket_sizes
from recsys_embed.semantic_ids.nearest import Codes


class Point(Protocol):
    """One point of a learning curve, as `recsys_embed.nn.rq_vae.Epoch`."""

    @property
    def epoch(self) -> int: ...
    @property
    def perplexity(self) -> tuple[float, ...]: ...
    @property
    def dead_codes(self) -> tuple[int, ...]: ...
    @property
    def unique_ids(self) -> float: ...
    @property
    def relative_error(self) -> float: ...


def draw_health(path: Path, health: Health, codes: Codes) -> None:
    """Draws how items spread over the codes of each level and over semantic IDs, as a PNG.

    Args:
        path: the file to write.
        health: of the codebooks.
        codes: of the items, (N, L).
    """
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    levels, buckets = figure.subplots(1, 2)
    for level, column in enumerate(codes.T):
        counts = np.sort(np.bincount(column, minlength=health.codes))[::-1]
        label = f"level {level + 1}: perplexity {health.perplexity[level]:.0f}"
        levels.plot(np.arange(health.codes) + 1, counts, label=label)
    levels.set(xlabel="codes, most used first", ylabel="items", yscale="symlog", ylim=(0, None))
    levels.legend()
    shared, counts = np.unique(bucket_sizes(codes), return_counts=True)
    buckets.loglog(shared, counts, "o")
    buckets.set(xlabel="items that share a semantic ID", ylabel="semantic IDs")
    buckets.set_title(f"{health.items:,} items, {counts.sum():,} semantic IDs")
    figure.savefig(path, dpi=120)


def draw_epochs(path: Path, epochs: Sequence[Point]) -> None:
    """Draws perplexity, dead codes, distinct IDs and error over epochs, 1 or more, as a PNG."""
    figure = Figure(figsize=(14, 3.2), layout="constrained")
    perplexity, dead, unique, error = figure.subplots(1, 4)
    numbers = [point.epoch for point in epochs]
    for level in range(len(epochs[0].perplexity)):
        label = f"level {level + 1}"
        perplexity.plot(numbers, [p.perplexity[level] for p in epochs], label=label)
        dead.plot(numbers, [p.dead_codes[level] for p in epochs], label=label)
    unique.plot(numbers, [point.unique_ids for point in epochs])
    error.plot(numbers, [point.relative_error for point in epochs])
    perplexity.legend()
    for axes, name in (
        (perplexity, "perplexity"),
        (dead, "dead codes"),
        (unique, "distinct IDs an item"),
        (error, "relative error"),
    ):
        axes.set(xlabel="epoch", ylabel=name, ylim=(0, None))
    figure.savefig(path, dpi=120)
