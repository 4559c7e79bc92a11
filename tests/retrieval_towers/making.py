"""A log whose customers buy by colour: who bought red things buys red things, also new ones."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from training.retrieval.towers.config import RetrievalConfig, from_values

COLOURS = ("RED", "BLUE", "GREEN", "PINK")
PER_COLOUR = 12
USERS_PER_COLOUR = 10
NEW = 3  # items of each colour that come only at the end


def write_log(folder: Path, baskets: int = 600, seed: int = 0) -> Path:
    """Writes lines (who, what, when, price, country), some of them no sales, as Parquet."""
    rng = np.random.default_rng(seed)
    lines = []
    for basket in range(baskets):
        colour = int(rng.integers(len(COLOURS)))
        user = f"user {colour} {rng.integers(USERS_PER_COLOUR)}"
        fresh = basket >= 0.9 * baskets
        known = PER_COLOUR if fresh else PER_COLOUR - NEW
        for item in rng.choice(known, 3, replace=False):
            lines.append(line(basket, user, colour, int(item)))
    lines.append({**line(0, "nobody", 0, 0), "quantity": -1})
    path = folder / "log.parquet"
    pl.DataFrame(lines).write_parquet(path)
    return path


def line(basket: int, user: str, colour: int, item: int) -> dict[str, Any]:
    return {
        "when": datetime(2020, 1, 1) + timedelta(hours=basket),
        "who": user,
        "what": name(colour, item),
        "price": 1.0 + item,
        "country": ("FR", "DE")[item % 2],
        "quantity": 1,
    }


def name(colour: int, item: int) -> str:
    return f"{COLOURS[colour]} thing{item}"


def values(path: Path) -> dict[str, Any]:
    """The plain values of a config for that log."""
    return {
        "name": "colours",
        "dim": 8,
        "data": {"kind": "log", "path": str(path)},
        "baskets": {
            "where": "quantity > 0", "time": "when", "user": "who", "item": "what", "history": 6,
        },
        "user": {
            "inputs": {
                "customer": {"kind": "ids", "column": "who"},
                "history": {"kind": "ids", "table": "item", "most": 4},
            }
        },
        "item": {
            "inputs": {
                "item": {"kind": "ids", "column": "what"},
                "words": {"kind": "ids", "column": "what", "table": "word", "text": True},
                "price": {"kind": "number", "log": True},
            }
        },
        "attributes": {
            "name": {"column": "what"},
            "price": {"column": "price"},
            "countries": {"column": "country", "of": "distinct"},
            "first_sold": {"column": "time", "of": "first"},
        },
        "table": {"dim": 8, "lr": 0.1},
        "train": {"batch_size": 64, "epochs": 4, "lr": 1e-2, "id_dropout": 0.3},
        "k": 5,
    }  # fmt: skip


def config(path: Path, **changes: Any) -> RetrievalConfig:
    return from_values({**values(path), **changes})
