"""The reproductions there are, and their configs."""

import importlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from recsys_embed.config import from_dict, near
from recsys_embed.errors import ConfigError, InputError
from training.overrides import assign
from training.reproduce.experiment import Experiment

CONFIGS = Path("configs/papers")
MODULES = {
    "graphhash-gowalla": "GraphHashGowalla",
    "graphhash-ctr": "GraphHashCtr",
    "unified-ml100k": "UnifiedML100K",
    "unified-frappe": "UnifiedFrappe",
    "semantic-ids-coldstart": "SemanticIdsColdstart",
    "collisions-online": "CollisionsOnline",
    "sync-interval": "SyncInterval",
    "fault-tolerance": "FaultTolerance",
    "retrieval-gowalla": "RetrievalGowalla",
}


def names() -> list[str]:
    """Lists the reproductions."""
    return list(MODULES)


def class_of(name: str) -> Any:
    """Gives the class of a reproduction.

    Raises:
        InputError: for a name there is not.
    """
    if name not in MODULES:
        raise InputError(f"there is no reproduction {name!r}; {near(name, names())}")
    module = importlib.import_module(f"training.reproduce.{name.replace('-', '_')}")
    return getattr(module, MODULES[name])


def load(name: str, path: Path | None = None, assignments: Sequence[str] = ()) -> Experiment:
    """Reads a reproduction's config, each of `assignments` replacing one value.

    Args:
        name: of the reproduction.
        path: of its config; configs/papers/NAME.toml of a checkout if None.
        assignments: "section.key=value".

    Raises:
        InputError: for a name there is not, or a config that is not there.
        ConfigError: for a config that is no TOML, or that the reproduction refuses.
    """
    experiment, path = class_of(name), path or CONFIGS / f"{name}.toml"
    if not path.is_file():
        raise InputError(
            f"expected the config of {name} at {path}; run in a checkout, or name it with --config"
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected TOML in {path}: {error}") from None
    for assignment in assignments:
        assign(values, assignment)
    return cast(Experiment, from_dict(experiment, values, path.name))
