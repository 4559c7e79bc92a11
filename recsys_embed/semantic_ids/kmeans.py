"""k-means: k-means++ seeding, Lloyd's iterations, dead codes put where the error is."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.semantic_ids.nearest import Codes, Floats, NearestCodes

SEEDING = 16  # points a code that k-means++ looks at
DUPLICATE = 1e-6  # squared distances err in float32 by about this share of the squared lengths


def kmeans(points: Floats, codes: int, iterations: int, rng: np.random.Generator) -> Floats:
    """Gives up to `codes` centers of N points, float32 (centers, D).

    There are fewer only where fewer points are distinct (at a relative distance of 0.001).

    Args:
        points: float32 (N, D), N >= 1, finite.
        codes: centers wanted.
        iterations: of Lloyd's, at most; it ends early when no point changes its center.
        rng: all randomness comes from it.

    Example:
        >>> points = np.array([[0], [1], [10], [11]], np.float32)
        >>> np.sort(kmeans(points, 2, 10, np.random.default_rng(0)), axis=0)
        array([[ 0.5],
               [10.5]], dtype=float32)
    """
    sample = points
    if len(points) > SEEDING * codes:
        sample = points[rng.choice(len(points), SEEDING * codes, replace=False)]
    centers = seeds(sample, codes, rng)
    if len(centers) < codes and len(sample) < len(points):
        centers = seeds(points, codes, rng)
    before = None
    for _ in range(iterations):
        chosen = nearest(points, centers)
        if before is not None and np.array_equal(chosen, before):
            break
        centers, before = means(points, chosen, centers, rng), chosen
    return centers


def seeds(points: Floats, codes: int, rng: np.random.Generator) -> Floats:
    """Draws distinct points, each with probability as its squared distance from those before.

    Paper: Arthur & Vassilvitskii, k-means++: The Advantages of Careful Seeding, section 2.2.
    """
    centered = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = np.einsum("nd,nd->n", centered, centered)
    drawn = [int(rng.integers(len(points)))]
    distances = np.full(len(points), np.inf)
    while True:
        last = drawn[-1]
        away = squares - 2 * (centered @ centered[last]) + squares[last]
        away[away <= DUPLICATE * (squares + squares[last])] = 0
        distances = np.minimum(distances, away)
        total = distances.sum()
        if len(drawn) == codes or total == 0:
            return points[drawn]
        drawn.append(int(rng.choice(len(points), p=distances / total)))


def nearest(points: Floats, centers: Floats) -> Codes:
    """Gives each point its nearest center, int32 (N,)."""
    return NearestCodes(centers[None]).encode(points)[:, 0]


def means(points: Floats, chosen: Codes, centers: Floats, rng: np.random.Generator) -> Floats:
    """Gives each center the mean of its points; a dead one, a point that is badly served.

    Such points are drawn with probability as their squared distance from their center.
    """
    counts = np.bincount(chosen, minlength=len(centers))
    moved = centers.copy()
    alive = counts > 0
    starts = (np.cumsum(counts) - counts)[alive]
    order = np.argsort(chosen, kind="stable")
    sums = np.add.reduceat(points[order], starts, axis=0, dtype=np.float64)
    moved[alive] = sums / counts[alive, None]
    if not alive.all():
        errors = np.square(points - centers[chosen]).sum(axis=1, dtype=np.float64)
        dead = np.flatnonzero(~alive)[: np.count_nonzero(errors)]
        moved[dead] = points[_draw(errors, len(dead), rng)]
    return moved


def _draw(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if not count:
        return np.zeros(0, np.int64)
    return rng.choice(len(weights), count, replace=False, p=weights / weights.sum())
