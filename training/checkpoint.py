"""A run on disk: written while it goes, and taken up again as if it had never stopped."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from recsys_embed.config import to_dict
from recsys_embed.errors import ConfigError
from recsys_embed.nn import tables_of
from recsys_embed.snapshot import open_snapshot, write_snapshot
from training.config import RunConfig
from training.dense_state import Arrays, dense_arrays, load_dense
from training.state import Position, Session

# What may differ between the run that stopped and the one that goes on.
ADJUSTABLE = ("epochs", "patience", "threads", "checkpoint_every")


def save_checkpoint(session: Session, root: Path) -> Path:
    """Writes the whole session as a snapshot under `root`, where the newest two stay."""
    extra = {"config": to_dict(session.config), "position": dataclasses.asdict(session.position)}
    return write_snapshot(
        root, tables_of(session.model), dense=_arrays(session), extra=extra, keep=2
    )


def load_checkpoint(session: Session, root: Path) -> None:
    """Takes up the newest checkpoint under `root`: from here on, all goes as it would have gone.

    Raises:
        SnapshotError: if there is none, or it is damaged.
        ConfigError: if it is of another config.
    """
    snapshot = open_snapshot(root)
    _refuse_other_config(snapshot.extra["config"], session.config)
    collection = session.model.collection
    collection.replace_tables({name: snapshot.tables[name].restore() for name in collection.tables})
    load_dense(session.model.net, session.optimizer, snapshot.dense)
    window = (np.array(snapshot.dense[f"window.{name}"]) for name in ("logits", "labels"))
    session.window = [(next(window), next(window))]
    session.position = Position(**snapshot.extra["position"])


def _arrays(session: Session) -> Arrays:
    arrays = dense_arrays(session.model.net, session.optimizer)
    empty = np.zeros(0, np.float32)
    for k, name in enumerate(("logits", "labels")):
        arrays[f"window.{name}"] = np.concatenate([empty, *(pair[k] for pair in session.window)])
    return arrays


def _refuse_other_config(saved: dict[str, Any], config: RunConfig) -> None:
    now = to_dict(config)
    differing = [key for key in now if key != "train" and now[key] != saved.get(key)]
    differing += [
        f"train.{key}"
        for key, value in now["train"].items()
        if key not in ADJUSTABLE and value != saved["train"].get(key)
    ]
    if differing:
        raise ConfigError(
            f"the checkpoint is of a run with other values of {', '.join(differing)}; resume with"
            " the same config, or start anew in another --output"
        )
