"""An online run in one TOML file: a source, what is learned from it, and where it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recsys_embed.config import from_dict
from recsys_embed.deltas.codecs import CODECS
from recsys_embed.errors import ConfigError
from training.config import read_toml
from training.described import Described, with_tables
from training.learned import Recipe
from training.learned.from_file import RowMapFile
from training.online.joining import Join
from training.online.sampling import NegativeSampling
from training.online.sources import SourceConfig

DAY_S = 86_400.0


@dataclass(frozen=True)
class OnlineTrain:
    """Says how to learn from a stream.

    Args:
        batch_size: events a step; a step takes fewer where the stream gives no more in `wait_s`.
        wait_s: the longest that an event waits for others to fill its batch.
        lr: of Adam on the dense layers.
        weight_decay: of Adam on the dense layers.
        missing: what an id without a row reads as.
        window: events over which the running figures are taken.
        expire_every: steps between looks for expired rows.
        threads: of the tables; 0: one a core. Results do not depend on it.
    """

    batch_size: int = 1024
    wait_s: float = 0.1
    lr: float = 1e-3
    weight_decay: float = 0.0
    missing: Literal["initial", "zeros"] = "zeros"
    window: int = 20_000
    expire_every: int = 100
    threads: int = 0

    def __post_init__(self) -> None:
        _refuse_low("train", self, ("batch_size", "lr", "window", "expire_every"), strictly=True)
        _refuse_low("train", self, ("wait_s", "weight_decay", "threads"))


@dataclass(frozen=True)
class Publish:
    """Says where changes go, how often and how spelled.

    Args:
        log: a folder, or redis://host:port/NAME; a folder of the run if None.
        every_s: seconds between entries, while anything changes.
        every_rows: an entry as well once so many ids were trained since the last; None: no bound.
        codec: "fp32"; "fp16" or "int8" for smaller entries that serving alone can read.
        state: whether entries hold what training needs, so that a trainer that was killed goes on
            from the last entry and not from the last snapshot; it needs fp32.
        dense_every_s: seconds between entries that hold the dense layers as well.
        lease_s: of a log in Redis: how long a trainer that was killed keeps the next one waiting.
    """

    log: str | None = None
    every_s: float = 1.0
    every_rows: int | None = None
    codec: str = "fp32"
    state: bool = True
    dense_every_s: float = DAY_S
    lease_s: float = 10.0

    def __post_init__(self) -> None:
        _refuse_low("publish", self, ("every_s", "dense_every_s", "lease_s"), strictly=True)
        if self.codec not in CODECS:
            raise ConfigError(f"publish.codec must be {', '.join(CODECS)}, got {self.codec!r}")
        if self.state and self.codec != "fp32":
            raise ConfigError(
                f"publish.state keeps training state bit for bit and needs codec 'fp32', got"
                f" {self.codec!r}; set publish.state = false for smaller entries"
            )
        if self.every_rows is not None and self.every_rows < 1:
            raise ConfigError(f"publish.every_rows must be at least 1, got {self.every_rows}")


@dataclass(frozen=True)
class Snapshots:
    """Says how often all rows are written.

    Args:
        every_s: seconds between snapshots.
        keep: how many stay, at least 2: followers may still read the one before the newest.
        shards: files for each table.
        threads: that write; they give way to training, and more of them are done sooner.
    """

    every_s: float = 600.0
    keep: int = 3
    shards: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        _refuse_low("snapshot", self, ("every_s",), strictly=True)
        if self.keep < 2 or self.shards < 1 or self.threads < 1:
            raise ConfigError(
                "snapshot needs keep >= 2, shards >= 1 and threads >= 1, got"
                f" {self.keep}, {self.shards} and {self.threads}"
            )


@dataclass(frozen=True, kw_only=True)
class OnlineConfig(Described):
    """Everything that decides an online run: what `Described` says, and:

    Args:
        source: where records come from.
        join: how impressions meet their outcomes.
        negatives: which share of the negatives is trained on.
        derive: columns made of the joined events' own, as in `[events.derive]`.
        train: how to learn.
        publish: where changes go.
        snapshot: how often all rows are written.
    """

    source: SourceConfig
    join: Join = Join(window_s=3600.0)
    negatives: NegativeSampling = field(default_factory=NegativeSampling)
    derive: Mapping[str, str] = field(default_factory=dict)
    train: OnlineTrain = field(default_factory=OnlineTrain)
    publish: Publish = field(default_factory=Publish)
    snapshot: Snapshots = field(default_factory=Snapshots)

    def __post_init__(self) -> None:
        super().__post_init__()
        if getattr(self.model, "batch_norm", False):
            raise ConfigError(
                "a step online may have a single event, which batch norm cannot take; set"
                " model.batch_norm = false"
            )
        for name, table in self.tables.items():
            if isinstance(table.row_map, Recipe) and not isinstance(table.row_map, RowMapFile):
                raise ConfigError(
                    f"tables.{name}.row_map {table.row_map.kind!r} is learned from a log, and a"
                    " stream has none before it begins; learn it first (recsys-train graphhash,"
                    " recsys-train semantic-ids) and name its file: {kind = 'file', path = …}"
                )


def load_online(path: Path, assignments: Sequence[str] = ()) -> OnlineConfig:
    """Reads a TOML file; each of `assignments`, "section.key=value", replaces one value.

    Raises:
        ConfigError: for a file that is absent or no TOML, and for whatever a config class refuses.
    """
    return from_dict(OnlineConfig, with_tables(read_toml(path, assignments)), path.name)


def _refuse_low(
    where: str, config: object, names: Sequence[str], *, strictly: bool = False
) -> None:
    for name in names:
        value = getattr(config, name)
        if not value >= 0 or (strictly and value == 0):
            least = "above 0" if strictly else "at least 0"
            raise ConfigError(f"{where}.{name} must be {least}, got {value}")
