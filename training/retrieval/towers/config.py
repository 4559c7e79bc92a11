"""A retrieval run in one TOML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from recsys_embed import Admission, Budget, RowwiseAdagrad, Uniform
from recsys_embed.config import from_dict, near
from recsys_embed.errors import ConfigError
from recsys_embed.initializers import Initializer
from recsys_embed.optimizers import Optimizer
from recsys_embed.row_maps import Collisionless
from training.config import read_toml
from training.learned.from_file import GivenRowMap
from training.readers import DataConfig
from training.retrieval.complementary import ComplementaryFrom
from training.retrieval.losses import RetrievalLoss, SampledSoftmax
from training.retrieval.towers.baskets import AttributeFrom, BasketsConfig
from training.retrieval.towers.inputs import IdsFrom, Inputs
from training.retrieval.towers.sampling import NegativesFrom
from training.splits import TimeSplit


@dataclass(frozen=True)
class TableFrom:
    """Configures a table; `[table]` says what all start from, `[tables.NAME]` what differs.

    Args:
        dim: of the vectors.
        row_map: how ids become rows.
        optimizer: of the vectors.
        lr: its learning rate.
        initializer: of the vectors.
        admission: how occurrences are counted towards the inputs' thresholds.
        budget: a bound on rows or bytes.
    """

    dim: int = 32
    row_map: GivenRowMap = field(default_factory=Collisionless)
    optimizer: Optimizer = field(default_factory=RowwiseAdagrad)
    lr: float = 0.05
    initializer: Initializer = field(default_factory=Uniform)
    admission: Admission = field(default_factory=Admission)
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if self.dim < 1 or self.lr <= 0:
            raise ConfigError(f"a table needs dim >= 1 and lr > 0, got {self.dim} and {self.lr}")


@dataclass(frozen=True)
class TowerFrom:
    """Describes a tower: its inputs side by side, layers with ReLU, a linear layer to the vector.

    Args:
        inputs: by feature, as clients will name it.
        hidden: widths of the layers before the last.
        interests: vectors an example; the best of them meets an item.
    """

    inputs: Inputs
    hidden: tuple[int, ...] = ()
    interests: int = 1

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ConfigError("a tower needs at least one input")
        if min(self.hidden, default=1) < 1 or self.interests < 1:
            raise ConfigError(
                "layers and interests must be at least 1,"
                f" got hidden {self.hidden} and interests {self.interests}"
            )


@dataclass(frozen=True)
class TrainFrom:
    """Says how long and how fast to learn.

    Args:
        batch_size: pairs of a basket and one of its items a step.
        epochs: passes over the train part at the most.
        order: of the baskets: "time", or "shuffled" anew for each epoch.
        lr: of Adam on the layers.
        weight_decay: of Adam on the layers.
        missing: what an id without a row reads as, in training and in serving.
        id_dropout: share of items whose id is kept from the item tower in a step, so that it
            learns to do without.
        patience: epochs without a better validation until training stops; 0: never.
        threads: of the tables; 0: one a core. Results do not depend on it.
    """

    batch_size: int = 1024
    epochs: int = 10
    order: Literal["time", "shuffled"] = "shuffled"
    lr: float = 1e-3
    weight_decay: float = 0.0
    missing: Literal["zeros", "initial"] = "zeros"
    id_dropout: float = 0.1
    patience: int = 2
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "lr"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"train.{name} must be above 0, got {getattr(self, name)}")
        for name in ("weight_decay", "patience", "threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"train.{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.id_dropout < 1:
            raise ConfigError(f"train.id_dropout must be in [0, 1), got {self.id_dropout}")


@dataclass(frozen=True)
class LiveFrom:
    """Says how a run goes on with --log: baskets learned as they come, and told to a delta log.

    Args:
        baskets: a step; more where the last is not alone in its moment.
        every_s: seconds between entries at the least; 0: one a step.
        gone_days: days without a sale until an item leaves the index; left out: none does.
        tolerance: how far a vector's values move until it is told anew.
    """

    baskets: int = 32
    every_s: float = 1.0
    gone_days: float | None = None
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.baskets < 1 or self.every_s < 0 or self.tolerance < 0:
            raise ConfigError(
                "live needs baskets >= 1, every_s >= 0 and tolerance >= 0,"
                f" got {self.baskets}, {self.every_s} and {self.tolerance}"
            )
        if self.gone_days is not None and self.gone_days <= 0:
            raise ConfigError(f"live.gone_days must be above 0, got {self.gone_days}")


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """Everything that decides a run's result.

    Args:
        name: names the folder of its output, `runs/NAME`.
        data: which reader, and where its files lie.
        baskets: what of them is a basket.
        user: the tower of those who buy.
        item: the tower of what they buy; the input named `item_input` is the item's own id.
        item_input: a feature of the item tower; none if its items have no id side.
        dim: of the vectors that both towers give.
        tables: one for each that the inputs name.
        attributes: of items, for filters and answers; "name" is the item's name.
        loss: what is minimized.
        learn_temperature: whether the loss's temperature is only where it starts (softmax alone).
        negatives: which items stand beside a basket.
        split: train, validation and test, by time.
        train: how long and how fast.
        complementary: what goes with what; none if left out.
        live: how the run goes on, where it does.
        baselines: what the towers are held against on the test part: what sold most ("popular"),
            and lately ("recent"), and vectors of customers known by id alone ("mf-bpr").
        k: of the best items that validation counts.
        seed: of the initial values, the order and all draws.
    """

    name: str
    data: DataConfig
    baskets: BasketsConfig
    user: TowerFrom
    item: TowerFrom
    item_input: str | None = "item"
    dim: int = 32
    tables: Mapping[str, TableFrom] = field(default_factory=dict)
    attributes: Mapping[str, AttributeFrom] = field(default_factory=dict)
    loss: RetrievalLoss = field(default_factory=SampledSoftmax)
    learn_temperature: bool = False
    negatives: NegativesFrom = field(default_factory=NegativesFrom)
    split: TimeSplit = field(default_factory=TimeSplit)
    train: TrainFrom = field(default_factory=TrainFrom)
    complementary: ComplementaryFrom | None = None
    live: LiveFrom = field(default_factory=LiveFrom)
    baselines: tuple[Literal["popular", "recent", "mf-bpr"], ...] = ("popular", "recent", "mf-bpr")
    k: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.name or set(self.name) & set("/\\ "):
            raise ConfigError(f"name must be usable as a folder's name, got {self.name!r}")
        if self.dim < 1 or self.k < 1 or self.seed < 0:
            raise ConfigError(
                "a run needs dim >= 1, k >= 1 and seed >= 0,"
                f" got {self.dim}, {self.k} and {self.seed}"
            )
        if self.item.interests > 1:
            raise ConfigError("an item has one vector; interests are of the user tower")
        if self.learn_temperature and not isinstance(self.loss, SampledSoftmax):
            raise ConfigError("only a softmax loss has a temperature that can be learned")
        self._check_tables()
        self._check_items()
        self._check_expiry()

    def _check_tables(self) -> None:
        used = table_names(self.user.inputs, self.item.inputs)
        for name in self.tables:
            if name not in used:
                raise ConfigError(f"no input uses [tables.{name}]; {near(name, used)}")

    def _check_items(self) -> None:
        inputs = self.item.inputs
        if self.item_input is not None and not isinstance(inputs.get(self.item_input), IdsFrom):
            raise ConfigError(
                f"item_input {self.item_input!r} must be an input of ids of the item tower;"
                f" {near(self.item_input, list(inputs))}"
            )
        if self.train.id_dropout and (self.item_input is None or len(inputs) < 2):
            raise ConfigError(
                "train.id_dropout keeps an item's id from its tower, which then needs an"
                " item_input and something else to go by; set it to 0, or give the tower contents"
            )

    def _check_expiry(self) -> None:
        every = [*self.user.inputs.items(), *self.item.inputs.items()]
        expiring = [f for f, one in every if isinstance(one, IdsFrom) and one.ttl_days is not None]
        if expiring and not (self.train.order == "time" and self.train.epochs == 1):
            raise ConfigError(
                f"inputs {expiring} expire by the time of sales, so these must come once and in"
                " order: set train.order = 'time' and train.epochs = 1"
            )


def table_names(*towers: Inputs) -> list[str]:
    """Names the tables that inputs read, in the order of the first input that does."""
    named = [
        one.table or feature
        for inputs in towers
        for feature, one in inputs.items()
        if isinstance(one, IdsFrom)
    ]
    return list(dict.fromkeys(named))


def load_retrieval(path: Path, assignments: Sequence[str] = ()) -> RetrievalConfig:
    """Reads a TOML file; each of `assignments`, "section.key=value", replaces one value.

    Raises:
        ConfigError: for a file that is absent or no TOML, and for whatever a config class refuses.
    """
    return from_values(read_toml(path, assignments), path.name)


def from_values(values: Mapping[str, Any], where: str = "config") -> RetrievalConfig:
    """Builds a run's config from plain values, `table` merged into each of the tables in use."""
    rest = {key: value for key, value in values.items() if key != "table"}
    bare = from_dict(RetrievalConfig, rest, where)
    given, defaults = rest.get("tables", {}), values.get("table", {})
    names = table_names(bare.user.inputs, bare.item.inputs)
    tables = {name: {**defaults, **given.get(name, {})} for name in names}
    return from_dict(RetrievalConfig, {**rest, "tables": tables}, where)
