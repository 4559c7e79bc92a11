"""What the loss of a shard costs that comes back as it was a while ago.

Liu et al., Monolith, arXiv 2209.07663, §2.3 and §3.2.2 (2): each parameter server is saved once a
day, and one that fails goes on from there. They give arithmetic for it, and no table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

from matplotlib.figure import Figure

from recsys_embed.errors import ConfigError
from training.metrics import auc
from training.reproduce.ctr import sizes
from training.reproduce.drawing import bars_by_group
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.failing import Start, begin, go_on, learn_failing
from training.reproduce.lost_shard import Shards
from training.reproduce.streams import stream_config, stream_data

NEVER = "never"
NEARLY_NO_LOSS = 1e-3  # AUC; the paper gives no number


@dataclass(frozen=True)
class FaultTolerance:
    """Configures the reproduction.

    Args:
        streams: values of a `RunConfig` by data set; shards are lost in the test part.
        users: by stream, the feature that says whose events they are.
        ages: of snapshots in seconds by name; one of 0 loses nothing.
        shards: into which the ids of all tables are dealt, anew with each seed.
        failures: in each stream, one shard after another.
        seeded: dotted keys that get the seed, besides `seed`.
        events: of a stream; 0: all.
        published: figures by case.
    """

    kind: ClassVar[str] = "fault-tolerance"
    summary: ClassVar[str] = "a tenth of all rows lost, and back from snapshots of any age"
    metrics: ClassVar[Mapping[str, str]] = {
        "cost_lost": "AUC lost, users of the shard",
        "cost": "AUC lost, all users",
        "auc_lost": "AUC, users of the shard",
        "auc": "AUC, all users",
    }
    streams: Mapping[str, Mapping[str, Any]]
    users: Mapping[str, str]
    ages: Mapping[str, int]
    shards: int = 10
    failures: int = 10
    seeded: tuple[str, ...] = ()
    events: int = 0
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.users.keys() != self.streams.keys():
            raise ConfigError(
                f"users must name a feature of each of {sorted(self.streams)},"
                f" got {sorted(self.users)}"
            )
        if list(self.ages.values()) != sorted(self.ages.values()) or min(self.ages.values()) < 0:
            raise ConfigError(f"ages must not be negative and rise, got {dict(self.ages)}")
        if self.shards < 1 or self.failures < 1:
            raise ConfigError(
                f"shards and failures must be at least 1, got {self.shards} and {self.failures}"
            )

    @property
    def cases(self) -> Sequence[str]:
        """Every age in every stream, and no snapshot at all."""
        return [f"{stream} {age}" for stream in self.streams for age in (*self.ages, NEVER)]

    def run(self, case: str, seed: int) -> Outcome:
        """Learns on while shards are lost; measures what the events after it were told."""
        stream, age = case.split()
        start = self._start(stream, seed)
        plan, session = start.plan(self.ages.get(age), self.failures), go_on(start)
        logits = learn_failing(session, start, plan)
        after, lost = start.touched(plan, self.users[stream])
        labels = start.events.labels[start.order]
        figures = {}
        for name, events in (("_lost", lost), ("", after)):
            own = auc(logits[events], labels[events])
            figures[f"cost{name}"] = auc(start.logits[events], labels[events]) - own
            figures[f"auc{name}"] = own
        figures = {name: figures[name] for name in self.metrics}
        return Outcome(figures, *sizes(session.model.collection.tables))

    def _start(self, stream: str, seed: int) -> Start:
        key = repr((self, stream, seed))
        if key not in _kept:
            _kept.clear()
            config = stream_config(self.streams, stream, seed, self.seeded)
            data = stream_data(config, self.events)
            ages = [*self.ages.values(), None]
            shards = Shards(self.shards, seed)
            _kept[key] = begin(config, *data, ages, self.failures, shards)
        return _kept[key]

    def quick(self) -> Self:
        """Takes few events."""
        return replace(self, events=9_000)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Says what the paper does of a day, and of newer snapshots against older ones."""
        claims = []
        for stream in self.streams:
            day = next((name for name, age in self.ages.items() if age == 86_400), "")
            if row := rows.get(f"{stream} {day}"):
                text = f"{row.case}: AUC lost by saving once a day, all users"
                claims.append(Claim(text, row.mean("cost"), most=NEARLY_NO_LOSS))
            names = [f"{stream} {age}" for age in (*self.ages, NEVER)]
            for newer, older in pairwise(rows[name] for name in names if name in rows):
                more = older.mean("cost_lost") - newer.mean("cost_lost")
                text = f"{older.case}: AUC lost by users of the shard above {newer.case.split()[1]}"
                claims.append(Claim(text, more, least=0.0))
        return claims

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws what is lost, for users of the shard and for all."""
        figure = Figure(figsize=(11, 4), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2), ("cost_lost", "cost"), strict=True):
            bars_by_group(axes, rows, metric, self.metrics[metric])
        figure.savefig(path, dpi=120)


_kept: dict[str, Start] = {}
