"""The other way to hold the same features: hashed tables that take no more memory."""

from collections.abc import Mapping
from dataclasses import replace

from recsys_embed import CollisionlessTable, Hashed
from training.config import RunConfig

SMALL = 1000


def hashed_alike(config: RunConfig, tables: Mapping[str, CollisionlessTable]) -> RunConfig:
    """Hashes each table's ids to as many rows as a plain array of the same bytes would have.

    The array is charged weights and optimizer state alone; the collisionless table everything it
    reserved: rows, index and admission filter. Tables below SMALL rows stay as they are, as
    nobody would hash them. A hashed row belongs to many ids, so nothing is admitted or expires.
    """
    rows = {
        name: table.stats().bytes // (4 * (table.config.dim + table.config.state_width))
        for name, table in tables.items()
        if len(table) >= SMALL
    }
    hashed = {
        name: replace(config.tables[name], row_map=Hashed(rows=n)) for name, n in rows.items()
    }
    features = {
        name: replace(feature, threshold=1, ttl_days=None)
        if config.table_of(name) in hashed
        else feature
        for name, feature in config.features.items()
    }
    return replace(
        config, name=f"{config.name}-hashed", tables={**config.tables, **hashed}, features=features
    )
