"""Contents whose structure is known because it was put there."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.semantic_ids import Codebooks


def planted(
    rng: np.random.Generator, clusters: int, each: int, dim: int, spread: float = 0.01
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`clusters` tight groups of `each` points far from each other, shuffled; and their groups."""
    centers = rng.standard_normal((clusters, dim))
    groups = rng.permutation(np.repeat(np.arange(clusters), each))
    noise = spread * rng.standard_normal((len(groups), dim))
    return (centers[groups] + noise).astype(np.float32), groups


def same_partition(one: NDArray[np.integer], other: NDArray[np.integer]) -> bool:
    """Whether two labelings put the same points together."""
    pairs = np.unique(np.stack([one, other], axis=1), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def some_codebooks(
    rng: np.random.Generator, levels: int = 3, codes: int = 5, dim: int = 4
) -> Codebooks:
    """Codebooks drawn at random, each level smaller than the one before."""
    scale = 0.5 ** np.arange(levels)[:, None, None]
    return Codebooks((rng.standard_normal((levels, codes, dim)) * scale).astype(np.float32))
