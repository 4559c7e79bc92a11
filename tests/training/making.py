"""Small logs whose answer is known, and configs to train on them."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from training.config import RunConfig, from_values


def planted_log(path: Path, events: int = 12_000, seed: int = 3) -> np.ndarray:
    """Writes a log in time order whose log-odds are a sum of a weight a user and a weight an item.

    Returns:
        The true log-odds of each event: no model orders them better.
    """
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 100, events), rng.integers(0, 50, events)
    logits = rng.normal(0, 1.5, 100)[user] + rng.normal(0, 1.5, 50)[item]
    labels = (rng.random(events) < 1 / (1 + np.exp(-logits))).astype(int)
    pl.DataFrame(
        {
            "user": [f"user-{u}" for u in user],
            "item": item,
            "tags": [[int(i) % 5, int(i) % 7] for i in item],
            "price": rng.random(events),
            "time": np.arange(events) * 60,
            "label": labels,
        }
    ).write_parquet(path)
    return logits


def config_of(log: Path, **changes: Any) -> RunConfig:
    """Builds a small config on a planted log; each of `changes` replaces or adds to a section."""
    values: dict[str, Any] = {
        "name": "planted",
        "data": {"kind": "log", "path": str(log)},
        "events": {"label": "label", "time": "time"},
        "split": {"kind": "time", "validation": 0.1, "test": 0.2},
        "features": {"user": {}, "item": {}},
        "dense": {"columns": ["price"]},
        "table": {"dim": 8, "lr": 0.3},
        "model": {"kind": "dnn", "hidden": [16]},
        "train": {"batch_size": 100, "lr": 0.01, "threads": 1, "window": 20, "epochs": 2},
        "seed": 1,
    }
    for section, change in changes.items():
        is_section = isinstance(change, dict) and "kind" not in change
        values[section] = (
            {**values[section], **change} if is_section and section in values else change
        )
    return from_values(values)
