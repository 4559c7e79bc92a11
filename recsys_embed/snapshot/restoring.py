"""Which tables the rows of a snapshot may be put into."""

from dataclasses import replace
from typing import Any

from recsys_embed.config import to_dict
from recsys_embed.errors import ConfigError, InputError
from recsys_embed.row_maps import Multiplexed
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig

MAY_DIFFER = ("budget", "sweep_rows")


def refuse_other_table(table: CollisionlessTable, config: TableConfig) -> None:
    """Refuses a table into which rows of `config` cannot be restored as they were.

    Raises:
        ConfigError: naming each field that differs and must not.
        InputError: if the table holds rows.
    """
    known = len(config.features)  # new ones may follow
    ours, theirs = must_agree(config, known), must_agree(table.config, known)
    differing = [
        f"{name} is {ours[name]} in the snapshot, {theirs[name]} in the table"
        for name in ours
        if ours[name] != theirs[name]
    ]
    if differing:
        raise ConfigError(f"cannot restore table {config.name!r}: {'; '.join(differing)}")
    if rows := len(table):
        raise InputError(f"table {config.name!r} must be empty to be restored, it has {rows} rows")


def must_agree(config: TableConfig, known: int) -> dict[str, Any]:
    """What rows and admission state depend on; thresholds and times to live may change."""
    names = tuple(feature.name for feature in config.features[:known])
    values = to_dict(config) | {"features": list(names)}
    if isinstance(config.row_map, Multiplexed):
        lookups_of = {name: config.row_map.chunks(name) for name in names}
        values["row_map"] = to_dict(replace(config.row_map, features=names, lookups_of=lookups_of))
    return {name: value for name, value in values.items() if name not in MAY_DIFFER}
