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

from training.config import RunConfig
from training.metrics import auc, log_loss
from training.reproduce.ctr import sizes
from training.reproduce.drawing import over_size
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.prequential import prequential
from training.reproduce.row_rules import Rule, ruled
from training.reproduce.streams import stream_config, stream_data

MIB = 2**20


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
        events, parts = stream_data(plain, self.events)
        config, shared = ruled(plain, self.rules[rule], events, self.large)
        done = prequential(config, events, parts)
        labels = events.labels[np.concatenate(parts)]
        test, past = slice(-len(parts.test), None), slice(len(parts.train), -len(parts.test))
        figures = {
            "auc": auc(done.logits[test], labels[test]),
            "log_loss": log_loss(done.logits[test], labels[test]),
            "mib": done.bytes / MIB,
            "shared": shared,
        }
        chosen = {"validation_auc": auc(done.logits[past], labels[past])}
        return Outcome(figures, *sizes(done.session.model.collection.tables), chosen)

    def config_of(self, stream: str, seed: int) -> RunConfig:
        """Gives the config of a stream where every id has its row.

        Raises:
            ConfigError: for values that a `RunConfig` refuses.
        """
        return stream_config(self.streams, stream, seed, self.seeded)

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
