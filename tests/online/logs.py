"""Small logs for sources to give, and configs that use all a log can hold."""

from pathlib import Path

import numpy as np
import polars as pl

from recsys_embed.config import from_dict
from training.config import RunConfig, from_values
from training.online.sources import Replay


def write_log(path: Path, events: int = 500, seed: int = 5) -> pl.DataFrame:
    """Writes a log of strings, lists, weights, missing values and moments that repeat."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, events)
    frame = pl.DataFrame(
        {
            "user": [f"üser-{u}" if u else None for u in rng.integers(0, 9, events)],
            "item": rng.integers(-(2**63), 2**63 - 1, events) // 2**59,
            "tags": [[f"t{t}" for t in rng.integers(0, 5, n)] for n in lengths],
            "shares": [rng.random(n).tolist() for n in lengths],
            "price": [None if p < 0.1 else p for p in rng.random(events)],
            "clicked": rng.random(events) < 0.3,
            "when": rng.integers(0, events, events) + 1_320_192_000,
        }
    )
    frame.write_parquet(path)
    return frame


def config_of(path: Path, *, negatives: bool = False) -> RunConfig:
    """A run on such a log: histories, crosses, weights and derived columns."""
    label = {"negatives": {"item": "item", "by": "user"}} if negatives else {"label": "clicked"}
    return from_values(
        {
            "name": "online",
            "data": {"kind": "log", "path": str(path)},
            "events": {
                "time": "when",
                "where": "item > -14",
                "derive": {"bucket": "CAST(FLOOR(price * 4) AS INT)"},
                "history": {"recent": {"of": "item", "by": "user", "last": 5}},
                **label,
            },
            "features": {
                "user": {},
                "item": {},
                "recent": {"table": "item"},
                "bucket": {},
                "pair": {"columns": ["user", "item"]},
                "taste": {"columns": ["user", "tags"]},
                "tagged": {"columns": ["tags"], "weights": "shares"},
            },
            "dense": {"columns": ["price"], "transform": "log1p"},
            "table": {"dim": 4},
            "model": {"kind": "dnn", "hidden": [4]},
        }
    )


def replay_of(config: RunConfig, **options: object) -> Replay:
    """Replays the log of a run."""
    from recsys_embed.config import to_dict

    plain = {"data": to_dict(config.data), "events": to_dict(config.events), **options}
    return from_dict(Replay, plain, "source")
