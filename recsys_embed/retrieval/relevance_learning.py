"""The network of a relevance adapter learns: Adam on the log loss, stopped by other queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError
from recsys_embed.retrieval.relevance import Doubles, maps_of, sigmoid

Parameters = list[Doubles]
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class Fitting:
    """How long and how fast to learn.

    Args:
        hidden: H, units of the network.
        rate: Adam's learning rate.
        epochs: passes over the queries at most.
        patience: passes without a gain on held-out queries before learning stops.
        batch: queries a step.
        held_out: share of the queries that stop learning, and as many again that are measured.
        thresholds: points of the adapter's curve.
        seed: of the first weights and of all choices.

    Raises:
        ConfigError: for a share out of (0, 0.5), or any other number that is not above 0.
    """

    hidden: int = 32
    rate: float = 0.01
    epochs: int = 50
    patience: int = 5
    batch: int = 256
    held_out: float = 0.1
    thresholds: int = 101
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 0.5:
            raise ConfigError(f"held_out must be in (0, 0.5), got {self.held_out}")
        for name in ("hidden", "rate", "epochs", "patience", "batch", "thresholds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")


class Pairs(NamedTuple):
    """What is learned from, inputs of the network and scores of the map.

    Attributes:
        inputs: float64 (Q, D + 1).
        scores: float64 (Q, K), as `Adapter.unit_scores`.
        relevant: float64 (Q, K), 0 or 1.
    """

    inputs: Doubles
    scores: Doubles
    relevant: Doubles

    def at(self, places: NDArray[np.int64]) -> "Pairs":
        """Gives those of some queries."""
        return Pairs(*(array[places] for array in self))


def log_loss(pairs: Pairs, parameters: Parameters) -> float:
    """Gives the mean of -log(probability of what is the case) over all pairs."""
    logits = _logits(pairs, parameters)
    return float((np.logaddexp(0, logits) - pairs.relevant * logits).mean())


def gradients(pairs: Pairs, parameters: Parameters) -> Parameters:
    """Gives the derivatives of `log_loss` by the parameters."""
    hidden, output = parameters
    units = np.tanh(pairs.inputs @ hidden)
    slope, exponent, offset = maps_of(pairs.inputs @ hidden, output)
    powers = pairs.scores**exponent
    error = (sigmoid(slope * powers + offset) - pairs.relevant) / pairs.relevant.size
    logs = np.log(np.maximum(pairs.scores, 1e-300))  # times 0^p = 0: no matter what
    raw = units @ output[:-1] + output[-1]
    by_raw = np.stack(
        [
            (error * powers).sum(axis=1) * sigmoid(raw[:, 0]),
            (error * slope * powers * logs).sum(axis=1) * sigmoid(raw[:, 1]),
            error.sum(axis=1),
        ],
        axis=1,
    )
    by_output = np.concatenate([units.T @ by_raw, by_raw.sum(axis=0, keepdims=True)])
    by_units = by_raw @ output[:-1].T * (1 - units**2)
    return [pairs.inputs.T @ by_units, by_output]


def learn(pairs: Pairs, stopping: Pairs, fitting: Fitting) -> Parameters:
    """Gives the parameters with the least loss on the stopping pairs: (D + 1, H), (H + 1, 3)."""
    rng = np.random.default_rng(fitting.seed)
    best = _first(pairs, fitting.hidden, rng)
    least, waited = log_loss(stopping, best), 0
    for parameters in _passes(pairs, best, fitting, rng):
        loss = log_loss(stopping, parameters)
        best, least, waited = (parameters, loss, 0) if loss < least else (best, least, waited + 1)
        if waited == fitting.patience:
            break
    return best


def _first(pairs: Pairs, hidden: int, rng: np.random.Generator) -> Parameters:
    """Gives weights under which every query has the same map: slope and exponent of 1, and the
    offset by which so many are relevant as are.

    From an offset of 0 the first steps go to what all share; where few are relevant the slope is
    flattened for it, and what tells scores apart is forgotten before it is learned.
    """
    width = pairs.inputs.shape[1]
    output = np.zeros((hidden + 1, 3))
    output[-1, :2] = np.log(np.e - 1)  # softplus of it is 1
    share = np.clip(pairs.relevant.mean(), 1 / pairs.relevant.size, 1 - 1 / pairs.relevant.size)
    output[-1, 2] = np.log(share / (1 - share))
    return [rng.normal(0, width**-0.5, (width, hidden)), output]


def _passes(
    pairs: Pairs, parameters: Parameters, fitting: Fitting, rng: np.random.Generator
) -> Iterator[Parameters]:
    """Gives the parameters after each pass of Adam (arXiv 1412.6980, algorithm 1)."""
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step = 0
    for _ in range(fitting.epochs):
        order = rng.permutation(len(pairs.inputs))
        for start in range(0, len(order), fitting.batch):
            step += 1
            found = gradients(pairs.at(order[start : start + fitting.batch]), parameters)
            first = [BETAS[0] * m + (1 - BETAS[0]) * g for m, g in zip(first, found, strict=True)]
            second = [
                BETAS[1] * v + (1 - BETAS[1]) * g * g for v, g in zip(second, found, strict=True)
            ]
            rate = fitting.rate * (1 - BETAS[1] ** step) ** 0.5 / (1 - BETAS[0] ** step)
            parameters = [
                p - rate * m / (np.sqrt(v) + EPSILON)
                for p, m, v in zip(parameters, first, second, strict=True)
            ]
        yield parameters


def _logits(pairs: Pairs, parameters: Parameters) -> Doubles:
    maps = maps_of(pairs.inputs @ parameters[0], parameters[1])
    logits: Doubles = maps.slope * pairs.scores**maps.exponent + maps.offset
    return logits
