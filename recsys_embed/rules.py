"""When an id earns a row and when it loses it: admission, expiry and budget, per feature."""

from dataclasses import dataclass
from typing import Literal

from recsys_embed.errors import ConfigError

Clock = Literal["event", "wall"]
MAX_COUNT = 2**32 - 1


@dataclass(frozen=True)
class FeatureRule:
    """Gives the ids of one feature a row at their `threshold`-th occurrence, for `ttl_s` seconds.

    Args:
        name: the feature's name.
        threshold: occurrences until admission; 0 and 1 admit at once.
        ttl_s: seconds without an occurrence after which a row expires (age >= ttl_s); None: never.

    Example:
        >>> FeatureRule("item", threshold=3, ttl_s=7 * 86400)
        FeatureRule(name='item', threshold=3, ttl_s=604800)
    """

    name: str
    threshold: int = 1
    ttl_s: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a feature needs a name, got an empty one")
        if not 0 <= self.threshold <= MAX_COUNT:
            raise ConfigError(
                f"threshold of {self.name!r} must be in [0, {MAX_COUNT}], got {self.threshold}"
            )
        if self.ttl_s is not None and not 1 <= self.ttl_s <= MAX_COUNT:
            raise ConfigError(
                f"ttl_s of {self.name!r} must be in [1, {MAX_COUNT}] or None, got {self.ttl_s}"
            )


@dataclass(frozen=True)
class Admission:
    """Decides how occurrences of ids without a row are counted.

    Args:
        kind: "exact" counts every such id; "sketch" counts in bounded memory (a count-min sketch
            with conservative update: may admit early, never late); "probabilistic" keeps no counts
            and admits each occurrence with `probability`.
        width: cells a line of the sketch; a power of two.
        depth: lines of the sketch.
        probability: chance of one occurrence, in (0, 1].

    Example:
        >>> Admission("sketch", width=1 << 16)
        Admission(kind='sketch', width=65536, depth=4, probability=1.0)
    """

    kind: Literal["exact", "sketch", "probabilistic"] = "exact"
    width: int = 1 << 20
    depth: int = 4
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("exact", "sketch", "probabilistic"):
            raise ConfigError(
                f"Admission.kind must be exact, sketch or probabilistic, got {self.kind!r}"
            )
        if not 1 <= self.width <= 1 << 32 or self.width & (self.width - 1):
            raise ConfigError(
                f"Admission.width must be a power of two up to 2^32, got {self.width}"
            )
        if not 1 <= self.depth <= 16:
            raise ConfigError(f"Admission.depth must be in [1, 16], got {self.depth}")
        if not 0 < self.probability <= 1:
            raise ConfigError(f"Admission.probability must be in (0, 1], got {self.probability}")


@dataclass(frozen=True)
class Budget:
    """Bounds a table: past `max_rows` the least recently or least frequently used rows are evicted.

    Enforced at the start of each training call: when more than `max_rows` are held, the least by
    (seq for "lru", count for "lfu"; ties: older seq, then smaller id) go until
    `max_rows - max_rows // 16` remain. A table exceeds its budget by at most one batch's new ids.

    Args:
        max_rows: rows to hold, at least 1; or
        max_bytes: bytes of rows to hold (see `TableConfig.row_bytes`).
        policy: "lru" or "lfu".

    Example:
        >>> Budget(max_rows=1_000_000, policy="lfu")
        Budget(max_rows=1000000, max_bytes=None, policy='lfu')
    """

    max_rows: int | None = None
    max_bytes: int | None = None
    policy: Literal["lru", "lfu"] = "lru"

    def __post_init__(self) -> None:
        if (self.max_rows is None) == (self.max_bytes is None):
            raise ConfigError(
                "Budget needs either max_rows or max_bytes,"
                f" got max_rows={self.max_rows} and max_bytes={self.max_bytes}"
            )
        bound = self.max_bytes if self.max_rows is None else self.max_rows
        if bound is None or bound < 1:
            raise ConfigError(f"Budget must be at least 1, got {bound}")
        if self.policy not in ("lru", "lfu"):
            raise ConfigError(f"Budget.policy must be lru or lfu, got {self.policy!r}")
