"""Scores as probabilities of being relevant: how far down its list a query's results are any good.

Scores of different queries do not compare: one query's good results lie at 0.4, another's at 0.8.
Cosine Adapter (Rossi et al., CIKM 2024, arXiv 2408.04887): a small network of the query chooses a
monotone map of scores, so that one threshold serves all queries. Of the functions that the paper
tries this is the power function; an exponent of 1 is its linear, of 1/2 its square root.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
LEAST = 1e-3  # of slope and exponent: a map that is flat for no query


class Maps(NamedTuple):
    """The map of each of Q queries: u to slope * u^exponent + offset.

    Attributes:
        slope: float64 (Q, 1), above 0.
        exponent: float64 (Q, 1), above 0.
        offset: float64 (Q, 1).
    """

    slope: Doubles
    exponent: Doubles
    offset: Doubles


@dataclass(frozen=True, eq=False)
class Adapter:
    """Gives sigmoid(a(q) u^p(q) + b(q)), u = max(score - low, 0) / (high - low); a, p > 0.

    For every query it grows with the score, so no order changes. (a, p, b) are the outputs of a
    network with one hidden layer of H tanh units on the query; softplus keeps a and p above 0.
    Threads: any.

    Args:
        hidden: float64 (D + 1, H), the last row its bias.
        output: float64 (H + 1, 3), the last row its bias.
        bounds: float64 (2,): low and high, between which scores were seen.
        unit: uint8 (), whether queries count by direction alone, as under cosine.
        thresholds: float64 (T,) ascending; of probability, with what they keep of held-out pairs:
        recall: float64 (T,), share of the relevant ones kept.
        precision: float64 (T,), share of the kept ones that are relevant.

    Raises:
        InputError: for other shapes, or NaN or infinity.
    """

    hidden: Doubles
    output: Doubles
    bounds: Doubles
    unit: NDArray[np.uint8]
    thresholds: Doubles
    recall: Doubles
    precision: Doubles

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in self.arrays().items()}
        if not (
            len(shapes["hidden"]) == 2
            and shapes["output"] == (shapes["hidden"][1] + 1, 3)
            and (shapes["bounds"], shapes["unit"]) == ((2,), ())
            and shapes["thresholds"] == shapes["recall"] == shapes["precision"]
        ):
            raise InputError(f"an adapter's arrays do not fit each other: {shapes}")
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise InputError("an adapter must be finite, got NaN or infinity")
        if not self.bounds[0] < self.bounds[1]:
            raise InputError(f"an adapter's bounds must ascend, got {self.bounds.tolist()}")

    def probability(self, queries: Floats, scores: Floats) -> Floats:
        """Gives the probability that each result is relevant, float32 (Q, K).

        Args:
            queries: float32 (Q, D), as they were searched with.
            scores: float32 (Q, K), of each query's results.

        Raises:
            InputError: for other shapes.
        """
        if queries.shape[1:] != (len(self.hidden) - 1,) or scores.shape[:-1] != queries.shape[:1]:
            raise InputError(
                f"expected queries (Q, {len(self.hidden) - 1}) and scores (Q, K), got"
                f" {queries.shape} and {scores.shape}"
            )
        maps = maps_of(self.inputs(queries) @ self.hidden, self.output)
        with np.errstate(over="ignore"):  # far above the scores that were seen: probability 1
            logits = maps.slope * self.unit_scores(scores) ** maps.exponent + maps.offset
        return sigmoid(logits).astype(np.float32)

    def inputs(self, queries: Floats) -> Doubles:
        """Gives what the network sees of queries, float64 (Q, D + 1)."""
        return network_inputs(queries, bool(self.unit))

    def unit_scores(self, scores: Floats) -> Doubles:
        """Gives u for scores of any shape, float64."""
        low, high = self.bounds
        clipped: Doubles = np.maximum(scores.astype(np.float64) - low, 0) / (high - low)
        return clipped

    def threshold(self, recall: float) -> float:
        """Gives the highest probability at which so much of the relevant is kept, 0 if none does.

        Args:
            recall: share of held-out relevant results to keep, in [0, 1].
        """
        enough = self.thresholds[self.recall >= recall]
        return float(enough[-1]) if len(enough) else 0.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Spells the adapter; `of` reads it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Adapter":
        """Reads what `arrays` gave.

        Raises:
            InputError: for other names, dtypes or shapes.
        """
        expected = {f.name: "|u1" if f.name == "unit" else "<f8" for f in fields(cls)}
        came = {name: array.dtype.str for name, array in arrays.items()}
        if came != expected:
            raise InputError(f"an adapter is spelled by {expected}, got {came}")
        return cls(**arrays)


def network_inputs(queries: Floats, unit: bool) -> Doubles:
    """Gives queries, at length 1 if that is asked, and a 1 for the bias, float64 (Q, D + 1)."""
    wide = queries.astype(np.float64)
    if unit:
        wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
    return np.concatenate([wide, np.ones((len(wide), 1))], axis=1)


def maps_of(hidden: Doubles, output: Doubles) -> Maps:
    """Gives the maps of Q queries from the sums (Q, H) of their hidden units."""
    raw = np.tanh(hidden) @ output[:-1] + output[-1]
    slope, exponent = (np.logaddexp(0, raw[:, at : at + 1]) + LEAST for at in (0, 1))
    return Maps(slope, exponent, raw[:, 2:])


def sigmoid(logits: Doubles) -> Doubles:
    """Gives 1 / (1 + exp(-x)) for every x, infinite ones included."""
    probabilities: Doubles = 0.5 * (1 + np.tanh(0.5 * logits))
    return probabilities
