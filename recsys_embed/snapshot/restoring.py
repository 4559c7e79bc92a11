"""Which tables the rows of a snapshot may be put into."""

from typing import Any

from recsys_embed.config import to_dict
from recsys_embed.errors import ConfigError, InputError
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig

MAY_DIFFER = ("budget", "sweep_rows")


def refuse_other_table(table: CollisionlessTable, config: TableConfig) -> None:
    """Refuses a table into which rows of `config` cannot be restored as they were.

    Raises:
        ConfigError: naming each field that differs and must not.
        InputError: if the table holds rows.
    """
    ours, theirs = _must_agree(config), _must_agree(table.config)
    theirs["features"] = theirs["features"][: len(ours["features"])]  # new ones may follow
    differing = [
        f"{name} is {ours[name]} in the snapshot, {theirs[name]} in the table"
        for name in ours
        if ours[name] != theirs[name]
    ]
    if differing:
        raise ConfigError(f"cannot restore table {config.name!r}: {'; '.join(differing)}")
    if rows := len(table):
        raise InputError(f"table {config.name!r} must be empty to be restored, it has {rows} rows")


def _must_agree(config: TableConfig) -> dict[str, Any]:
    """What rows and admission state depend on; thresholds and times to live may change."""
    values = to_dict(config) | {"features": [feature.name for feature in config.features]}
    return {name: value for name, value in values.items() if name not in MAY_DIFFER}
