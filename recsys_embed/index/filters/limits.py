"""How large a filter may be."""

from dataclasses import dataclass

from recsys_embed.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds the work that one filter can ask for.

    Args:
        depth: of filters within each other.
        parts: filters in all, `and`, `or`, `not` and each field counted.
        values: of all `in` together.
        comparisons: of values, to find contradictions; one that takes more is not found, and the
            filter taken for one that no item happens to satisfy.

    Raises:
        ConfigError: for a limit below 1.
    """

    depth: int = 16
    parts: int = 128
    values: int = 10_000
    comparisons: int = 200_000

    def __post_init__(self) -> None:
        if min(self.depth, self.parts, self.values, self.comparisons) < 1:
            raise ConfigError(f"limits of filters must be at least 1, got {self}")
