"""What shared rows cost a model that learns on, and what admission and expiry save.

Liu et al., Monolith, arXiv 2209.07663, §2.1 and §4.1: collisionless tables beside hashed ones in
which a share of the ids collide, and filters by count and by age. Their data is not public; these
are two logs in time order, each event predicted before it is learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from recsys_embed import Hashed
from recsys_embed.errors import ConfigError
from training.config import RunConfig, Table, from_values
from training.events import Events
from training.metrics import auc, log_loss
from training.reproduce.ctr import merged, nested, read_once, sizes
from training.reproduce.drawing import over_size
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.prequential import prequential

MIB = 2**20


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


@dataclass(frozen=True)
class CollisionsOnline:
    """Configures the reproduction.

    Args:
        streams: values of a `RunConfig` by data set; the test part is predicted while learning.
        rules: what is compared in each.
        large: ids from which on a table is subject to the rules.
        seeded: dotted keys that get the seed, besides `seed` and those of the hashes.
        events: of a stream; 0: all.
        published: figures by case.
    """

    kind: ClassVar[str] = "collisions-online"
    summary: ClassVar[str] = "collisionless, hashed, admitted and expiring rows, learning in order"
    metrics: ClassVar[Mapping[str, str]] = {
        "auc": "AUC",
        "log_loss": "log loss",
        "mib": "MiB",
        "shared": "ids that share",
    }
    streams: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Rule]
    large: int = 500
    seeded: tuple[str, ...] = ()
    events: int = 0
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def cases(self) -> Sequence[str]:
        """Every rule in every stream."""
        return [f"{stream} {rule}" for stream in self.streams for rule in self.rules]

    def run(self, case: str, seed: int) -> Outcome:
        """Learns through the whole log; measures the predictions of its test part."""
        stream, rule = case.split()
        plain = self.config_of(stream, seed)
        key = repr((plain.data, plain.events, plain.features, plain.split))
        events, parts = read_once(key, plain)
        if self.events:
            parts = type(parts)(*(part[: self.events // 3] for part in parts))
        config, shared = ruled(plain, self.rules[rule], events, self.large)
        done = prequential(config, events, parts)
        test = done.logits[-len(parts.test) :], events.labels[parts.test]
        past = done.logits[len(parts.train) : -len(parts.test)], events.labels[parts.validation]
        figures = {
            "auc": auc(*test),
            "log_loss": log_loss(*test),
            "mib": done.bytes / MIB,
            "shared": shared,
        }
        tables = done.session.model.collection.tables
        return Outcome(figures, *sizes(tables), {"validation_auc": auc(*past)})

    def config_of(self, stream: str, seed: int) -> RunConfig:
        """Gives the config of a stream where every id has its row.

        Raises:
            ConfigError: for values that a `RunConfig` refuses.
        """
        values = merged(self.streams[stream], {"name": stream, "seed": seed})
        for path in self.seeded:
            if path.split(".")[1] in values.get(path.split(".")[0], {}):
                values = merged(values, nested(path, seed))
        return from_values(values, stream)

    def quick(self) -> Self:
        """Takes few events."""
        return replace(self, events=30_000)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares hashed tables with collisionless ones."""
        claims = []
        for stream in self.streams:
            full = rows.get(f"{stream} collisionless")
            for name, rule in self.rules.items():
                row = rows.get(f"{stream} {name}")
                if full and row and rule.collided is not None:
                    gain = full.mean("auc") - row.mean("auc")
                    text = f"{stream}, AUC of collisionless above {name}"
                    claims.append(Claim(text, gain, least=0.0))
        return claims

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws AUC over memory, a line for each family of rules."""
        figure = Figure(figsize=(6 * len(self.streams), 4.5), layout="constrained")
        panels = figure.subplots(1, len(self.streams), squeeze=False)[0]
        for axes, stream in zip(panels, self.streams, strict=True):
            own = {case: row for case, row in rows.items() if case.split()[0] == stream}
            over_size(axes, own, "auc", lambda row: row.mean("mib"), family)
            axes.set(title=stream, xscale="log", xlabel="MiB of all tables", ylabel="AUC")
            axes.legend()
        figure.savefig(path, dpi=120)


def family(case: str) -> str:
    """Gives the rule of a case without its numbers.

    Example:
        >>> family("online-retail hashed-90%"), family("online-retail admitted-2,expiring-30")
        ('hashed', 'admitted, expiring')
    """
    return ", ".join(part.partition("-")[0] for part in case.split()[1].split(","))


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
