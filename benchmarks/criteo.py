"""Generated work shaped like the Criteo Kaggle log: 13 numbers, 26 ids and a label an example."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

from benchmarks.batches import Draw, ids_of

NUM_DENSE, ZIPF = 13, 1.05
KEYS = [f"c{number}" for number in range(1, 27)]
# Distinct values of each feature in the Kaggle log (33.8 M in all), here scaled to a wanted total.
KAGGLE_VALUES = [
    1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992,
    5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572,
]  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """One batch twice: `raw` with 64-bit ids, `indexed` with dense indices of each feature."""

    dense: torch.Tensor
    raw: KeyedJaggedTensor
    indexed: KeyedJaggedTensor
    labels: torch.Tensor


def sizes(total: int) -> list[int]:
    """Gives the number of distinct ids of each feature, at least 3, about `total` in all."""
    scale = total / sum(KAGGLE_VALUES)
    return [max(3, round(values * scale)) for values in KAGGLE_VALUES]


def raw_ids(feature: int, dense: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives the ids of dense indices; ids of different features differ."""
    return ids_of(dense + (feature << 32))


def batches(total: int, batch_size: int, count: int) -> list[Batch]:
    """Draws `count` different batches, each feature Zipf over its own ids."""
    rng = np.random.default_rng(0)
    drawn = np.empty((count, len(KEYS), batch_size), np.int64)
    for feature, size in enumerate(sizes(total)):
        draw = Draw(size, ZIPF, rng)
        for number in range(count):
            drawn[number, feature] = draw(batch_size)
    return [_batch(dense, rng) for dense in drawn]


def _batch(indices: NDArray[np.int64], rng: np.random.Generator) -> Batch:
    size = indices.shape[1]
    raw = np.concatenate([raw_ids(feature, row) for feature, row in enumerate(indices)])
    return Batch(
        torch.from_numpy(rng.standard_normal((size, NUM_DENSE), np.float32)),
        _jagged(raw),
        _jagged(indices.reshape(-1)),
        torch.from_numpy((rng.random(size) < 0.25).astype(np.float32)),
    )


def _jagged(values: NDArray[np.int64]) -> KeyedJaggedTensor:
    offsets = torch.arange(len(values) + 1)
    lengths = torch.ones(len(values), dtype=torch.int64)
    return KeyedJaggedTensor(KEYS, torch.from_numpy(values), lengths=lengths, offsets=offsets)
