"""What a table is made of: segments, features with their rules, admission, budget, clock."""

from dataclasses import dataclass, field, replace
from typing import Any

from recsys_embed.errors import ConfigError
from recsys_embed.initializers import Initializer, Uniform
from recsys_embed.optimizers import Adam, Optimizer, RowwiseAdagrad
from recsys_embed.row_maps import Collisionless, HashEmbedding, Multiplexed, RowMapConfig
from recsys_embed.rules import Admission, Budget, Clock, FeatureRule

HEADER_BYTES = 32
ROW_ALIGNMENT = 32
MAX_DIM = 65_536


@dataclass(frozen=True)
class Segment:
    """A stretch of a row's weights with an optimizer and an initializer of its own.

    Example:
        >>> Segment(16).dim
        16
    """

    dim: int
    optimizer: Optimizer = field(default_factory=RowwiseAdagrad)
    initializer: Initializer = field(default_factory=Uniform)

    def __post_init__(self) -> None:
        if not 1 <= self.dim <= MAX_DIM:
            raise ConfigError(f"Segment.dim must be in [1, {MAX_DIM}], got {self.dim}")

    @property
    def state_columns(self) -> tuple[str, ...]:
        """Names the optimizer's floats of one row, in the order they are stored."""
        return self.optimizer.state_columns(self.dim)


@dataclass(frozen=True)
class TableConfig:
    """Everything that decides how a table behaves; equal configs and calls give equal tables.

    Args:
        name: part of every initial value, so that tables of one seed differ.
        segments: the row, left to right; most tables have one (`TableConfig.of`).
        features: who looks ids up here, each with its admission threshold and time to live.
        admission: how occurrences of ids without a row are counted.
        budget: an optional bound on rows or bytes.
        clock: "event" (the caller gives each batch's time) or "wall" (the machine's).
        row_map: how an id becomes its row's id.
        seed: of the initial values and of probabilistic admission.
        sweep_rows: rows that one training call may examine for expiry and move for compaction.

    Example:
        >>> TableConfig.of("item", 16).dim
        16
    """

    name: str
    segments: tuple[Segment, ...]
    features: tuple[FeatureRule, ...] = (FeatureRule("default"),)
    admission: Admission = field(default_factory=Admission)
    budget: Budget | None = None
    clock: Clock = "event"
    row_map: RowMapConfig = field(default_factory=Collisionless)
    seed: int = 0
    sweep_rows: int = 1024

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a table needs a name, got an empty one")
        if not self.segments or not self.features:
            raise ConfigError(f"table {self.name!r} needs at least one segment and one feature")
        names = [f.name for f in self.features]
        if len(set(names)) != len(names) or len(names) > 65_535:
            raise ConfigError(
                f"table {self.name!r} needs at most 65535 distinct feature names, got {names}"
            )
        if self.clock not in ("event", "wall"):
            raise ConfigError(
                f"clock of table {self.name!r} must be event or wall, got {self.clock!r}"
            )
        if self.dim > MAX_DIM:
            raise ConfigError(
                f"table {self.name!r} may have at most {MAX_DIM} dimensions, got {self.dim}"
            )
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed of table {self.name!r} must be in [0, 2^63), got {self.seed}")
        self._fit_row_map(tuple(names))
        if self.sweep_rows < 0:
            raise ConfigError(
                f"sweep_rows of table {self.name!r} must not be negative, got {self.sweep_rows}"
            )

    def _fit_row_map(self, features: tuple[str, ...]) -> None:
        row_map = self.row_map
        if isinstance(row_map, Multiplexed):
            object.__setattr__(self, "row_map", row_map.of_features(features))
        if isinstance(row_map, HashEmbedding) and not row_map.dim:
            object.__setattr__(self, "row_map", replace(row_map, dim=self.dim))
        elif isinstance(row_map, HashEmbedding) and row_map.dim != self.dim:
            raise ConfigError(
                f"the hash_embedding row map of table {self.name!r} must have the table's dim"
                f" {self.dim}, got {row_map.dim}"
            )

    @staticmethod
    def of(
        name: str,
        dim: int,
        *,
        optimizer: Optimizer | None = None,
        initializer: Initializer | None = None,
        **rest: Any,
    ) -> "TableConfig":
        """Builds the config of a table with one segment; `rest` are further fields."""
        segment = Segment(dim, optimizer or RowwiseAdagrad(), initializer or Uniform())
        return TableConfig(name, (segment,), **rest)

    @property
    def dim(self) -> int:
        """Weights a row."""
        return sum(s.dim for s in self.segments)

    def vector_dim(self, feature: str = "") -> int:
        """Columns of an id's vector: a row's, times the chunks that the row map gives a feature."""
        return self.dim * self.row_map.chunks(feature)

    @property
    def state_width(self) -> int:
        """Optimizer floats a row."""
        return sum(len(s.state_columns) for s in self.segments)

    @property
    def row_bytes(self) -> int:
        """Bytes one row takes: header, weights, optimizer state, rounded up to 32.

        The header has room for one float of state: the first segment's accumulator or step count.
        """
        held = isinstance(self.segments[0].optimizer, RowwiseAdagrad | Adam)
        size = HEADER_BYTES + 4 * (self.dim + self.state_width - held)
        return -(-size // ROW_ALIGNMENT) * ROW_ALIGNMENT

    @property
    def max_rows(self) -> int | None:
        """Rows that the budget allows; None without a budget."""
        if self.budget is None:
            return None
        return self.budget.max_rows or max(1, (self.budget.max_bytes or 0) // self.row_bytes)
