"""The updates a table can apply to a row; w weights, g gradient + weight_decay * w, lr per call."""

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from recsys_embed.errors import ConfigError


def _require(config: Any, **bounds: tuple[float, float]) -> None:
    """Refuses a hyper-parameter outside [low, high) or not finite."""
    bounds = {"weight_decay": (0.0, math.inf), **bounds}
    for field in fields(config):
        value, (low, high) = getattr(config, field.name), bounds[field.name]
        if not (math.isfinite(value) and low <= value < high):
            raise ConfigError(
                f"{type(config).__name__}.{field.name} must be in [{low}, {high}), got {value}"
            )


@dataclass(frozen=True)
class SGD:
    """Descends without memory: w -= lr * g.

    Example:
        >>> SGD().state_columns(16)
        ()
    """

    kind: ClassVar[str] = "sgd"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _require(self)

    def state_columns(self, dim: int) -> tuple[str, ...]:
        """Names the state floats of one row, in the order they are stored."""
        return ()


@dataclass(frozen=True)
class Adagrad:
    """Scales each weight by its own history: n += g^2, w -= lr * g / (sqrt(n) + eps).

    Duchi, Hazan, Singer (JMLR 2011), diagonal form.

    Example:
        >>> Adagrad().state_columns(2)
        ('accumulator', 'accumulator')
    """

    kind: ClassVar[str] = "adagrad"
    weight_decay: float = 0.0
    initial_accumulator: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        _require(self, initial_accumulator=(0.0, math.inf), eps=(1e-30, math.inf))

    def state_columns(self, dim: int) -> tuple[str, ...]:
        """Names the state floats of one row, in the order they are stored."""
        return ("accumulator",) * dim


@dataclass(frozen=True)
class RowwiseAdagrad:
    """Keeps one accumulator a row: n += mean(g^2), w -= lr * g / (sqrt(n) + eps).

    The same arithmetic as FBGEMM's EXACT_ROWWISE_ADAGRAD with L2 weight decay.

    Example:
        >>> RowwiseAdagrad().state_columns(64)
        ('accumulator',)
    """

    kind: ClassVar[str] = "rowwise_adagrad"
    weight_decay: float = 0.0
    initial_accumulator: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        _require(self, initial_accumulator=(0.0, math.inf), eps=(1e-30, math.inf))

    def state_columns(self, dim: int) -> tuple[str, ...]:
        """Names the state floats of one row, in the order they are stored."""
        return ("accumulator",)


@dataclass(frozen=True)
class Adam:
    """Follows bias-corrected moments, t counting the steps of this row alone.

    t += 1; m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g^2;
    w -= lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
    Kingma, Ba (arXiv 1412.6980), alg. 1.

    Example:
        >>> Adam().state_columns(1)
        ('steps', 'm', 'v')
    """

    kind: ClassVar[str] = "adam"
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        _require(self, beta1=(0.0, 1.0), beta2=(0.0, 1.0), eps=(1e-30, math.inf))

    def state_columns(self, dim: int) -> tuple[str, ...]:
        """Names the state floats of one row, in the order they are stored."""
        return ("steps", *("m",) * dim, *("v",) * dim)


@dataclass(frozen=True)
class FTRL:
    """Follows the regularized leader, per coordinate; |z| <= l1 gives an exact zero.

    n' = n + g^2; z += g - (sqrt(n') - sqrt(n)) / lr * w;
    w = 0 if |z| <= l1 else -(z - sign(z)*l1) / ((beta + sqrt(n')) / lr + l2).
    McMahan et al. (KDD 2013), alg. 1.

    Example:
        >>> FTRL(l1=0.1).state_columns(1)
        ('z', 'n')
    """

    kind: ClassVar[str] = "ftrl"
    weight_decay: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        _require(self, l1=(0.0, math.inf), l2=(0.0, math.inf), beta=(0.0, math.inf))

    def state_columns(self, dim: int) -> tuple[str, ...]:
        """Names the state floats of one row, in the order they are stored."""
        return ("z",) * dim + ("n",) * dim


Optimizer = SGD | Adagrad | RowwiseAdagrad | Adam | FTRL
