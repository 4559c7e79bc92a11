"""Rules by which the ids of large tables have rows: of their own, shared, late, or for a while."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recsys_embed import Hashed
from recsys_embed.errors import ConfigError
from training.config import RunConfig
from training.described import Table
from training.events import Events


@dataclass(frozen=True)
class Rule:
    """Says how the ids of large tables have rows.

    Args:
        collided: share of the ids that are to meet another in a hashed row; None: none are hashed.
        threshold: occurrences until an id is admitted.
        ttl_days: days without an occurrence until a row expires.
    """

    collided: float | None = None
    threshold: int = 1
    ttl_days: float | None = None

    def __post_init__(self) -> None:
        if self.collided is not None and not 0 < self.collided < 1:
            raise ConfigError(f"collided must be in (0, 1), got {self.collided}")

    def table(self, table: Table, ids: int, seed: int) -> Table:
        """Hashes n ids into n / -ln(1 - collided) rows, so that an id is alone at 1 - collided."""
        if self.collided is None:
            return table
        rows = max(1, round(ids / -np.log1p(-self.collided)))
        return replace(table, row_map=Hashed(rows=rows, seed=seed))


def ruled(config: RunConfig, rule: Rule, events: Events, large: int) -> tuple[RunConfig, float]:
    """Gives a config whose large tables follow a rule, and the share of their ids that share rows.

    Args:
        config: with a row for every id.
        rule: how ids have rows.
        events: that tell how many ids there are.
        large: ids from which on a table is large.
    """
    ids = {
        table: np.unique(np.concatenate([events.bags[f].values for f in features]))
        for table, features in config.features_of.items()
    }
    kept = {table: own for table, own in ids.items() if len(own) >= large}
    tables = {t: rule.table(config.tables[t], len(own), config.seed) for t, own in kept.items()}
    features = {
        name: replace(feature, threshold=rule.threshold, ttl_days=rule.ttl_days)
        for name, feature in config.features.items()
        if config.table_of(name) in kept
    }
    new = replace(
        config,
        tables={**config.tables, **tables},
        features={**config.features, **features},
    )
    met = sum(sharing(tables[t].row_map, own) for t, own in kept.items())
    return new, met / max(1, sum(map(len, kept.values())))


def sharing(row_map: object, ids: NDArray[np.int64]) -> int:
    """Counts the distinct ids whose hashed row is also another's."""
    if not isinstance(row_map, Hashed):
        return 0
    _, inverse, counts = np.unique(
        row_map.map(ids).rows[0], return_inverse=True, return_counts=True
    )
    return int(np.sum(counts[inverse] > 1))
