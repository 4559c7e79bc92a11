"""How the weights of a new row begin; each value depends on (seed, table, id, position) alone."""

import math
from dataclasses import dataclass
from typing import ClassVar

from recsys_embed.errors import ConfigError


@dataclass(frozen=True)
class Uniform:
    """Draws each weight uniformly from [low, high).

    Example:
        >>> Uniform(-0.1, 0.1)
        Uniform(low=-0.1, high=0.1)
    """

    kind: ClassVar[str] = "uniform"
    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ConfigError(
                f"Uniform needs finite low <= high, got low={self.low}, high={self.high}"
            )


@dataclass(frozen=True)
class Normal:
    """Draws each weight from a normal distribution.

    Example:
        >>> Normal(std=0.01)
        Normal(mean=0.0, std=0.01)
    """

    kind: ClassVar[str] = "normal"
    mean: float = 0.0
    std: float = 0.05

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std >= 0):
            raise ConfigError(
                f"Normal needs a finite mean and std >= 0, got mean={self.mean}, std={self.std}"
            )


@dataclass(frozen=True)
class Constant:
    """Sets every weight to one value.

    Example:
        >>> Constant(1.0)
        Constant(value=1.0)
    """

    kind: ClassVar[str] = "constant"
    value: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ConfigError(f"Constant needs a finite value, got {self.value}")


Initializer = Uniform | Normal | Constant
