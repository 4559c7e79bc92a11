"""Fewer dimensions in which inner products with real queries change least."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
SHRINKAGE = 1e-3
DTYPES = {"queries": "<f4", "items": "<f4", "spectrum": "<f8"}


@dataclass(frozen=True, eq=False)
class Projection:
    """Maps q to A q and x to B x, d of D dimensions, so that <A q, B x> stands for <q, x>.

    Of all pairs of linear maps to d dimensions it has the least mean of (<q, x> - <A q, B x>)^2
    over independent queries and items. Let K_Q and K_X be the means of q q^T and x x^T, and
    W = K_Q^(1/2). The columns of P are the eigenvectors of W K_X W with the d largest eigenvalues;
    A = P^T W^-1 and B = P^T W; the mean that remains is the sum of the other eigenvalues. Queries
    may differ from items in every way; where K_Q is a multiple of 1, this is PCA without centering.

    The loss: LeanVec, arXiv 2312.16335; sphering of queries: arXiv 2410.22347. Threads: any.

    Args:
        queries: A, float32 (d, D).
        items: B, float32 (d, D).
        spectrum: all D eigenvalues, float64, descending.

    Raises:
        InputError: for arrays of other shapes, or with NaN or infinity.
    """

    queries: Floats
    items: Floats
    spectrum: Doubles

    def __post_init__(self) -> None:
        shapes = self.queries.shape, self.items.shape, self.spectrum.shape
        if self.queries.ndim != 2 or shapes[0] != shapes[1] or shapes[2] != shapes[0][1:]:
            raise InputError(f"a projection has A (d, D), B (d, D) and D eigenvalues, got {shapes}")
        if not 1 <= self.dim <= len(self.spectrum):
            raise InputError(
                f"a projection has 1 to {len(self.spectrum)} dimensions, got {self.dim}"
            )
        if not all(np.isfinite(a).all() for a in (self.queries, self.items, self.spectrum)):
            raise InputError("a projection must be finite, got NaN or infinity")

    @property
    def dim(self) -> int:
        """d, the dimensions that remain."""
        return len(self.queries)

    @property
    def expected_error(self) -> float:
        """Mean of (<q, x> - <A q, B x>)^2 over the queries and items it was learned from."""
        return float(self.spectrum[self.dim :].sum())

    def of_queries(self, queries: Floats) -> Floats:
        """Gives A q for each of N queries, float32 (N, d)."""
        return queries @ self.queries.T

    def of_items(self, items: Floats) -> Floats:
        """Gives B x for each of N items, float32 (N, d)."""
        return items @ self.items.T

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Spells the projection; `from_arrays` reads it."""
        return {"queries": self.queries, "items": self.items, "spectrum": self.spectrum}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Projection":
        """Reads what `arrays` gave.

        Raises:
            InputError: for other names, dtypes or shapes.
        """
        came = {name: array.dtype.str for name, array in arrays.items()}
        if came != DTYPES:
            raise InputError(f"a projection is spelled by {DTYPES}, got {came}")
        return cls(**arrays)


def learn_projection(
    queries: Floats, items: Floats, dim: int, shrinkage: float = SHRINKAGE
) -> Projection:
    """Learns the best projection for queries like these into items like these.

    Args:
        queries: float32 (Q, D), finite, Q >= 1.
        items: float32 (N, D), finite, N >= 1.
        dim: d, in [1, D].
        shrinkage: weight, in [0, 1], of directions that no query of the sample had, so that another
            query may have them: K_Q becomes (1 - s) K_Q + s tr(K_Q) / D.

    Raises:
        InputError: for other shapes, or queries that are all zeros.

    Example:
        >>> items = np.array([[1, 5], [-1, 4], [2, -9]], np.float32)
        >>> queries = np.array([[1, 0], [2, 0]], np.float32)  # the long side of items says nothing
        >>> learned = learn_projection(queries, items, dim=1, shrinkage=0)
        >>> scores = learned.of_queries(queries) @ learned.of_items(items).T
        >>> bool(np.allclose(scores, queries @ items.T, atol=1e-5))
        True
    """
    _check(queries, items, dim, shrinkage)
    of_queries, of_items = _moments(queries), _moments(items)
    mean = np.trace(of_queries) / len(of_queries)
    shrunk = (1 - shrinkage) * of_queries + shrinkage * mean * np.eye(len(of_queries))
    values, vectors = np.linalg.eigh(shrunk)
    roots = np.sqrt(np.where(values > 1e-12 * values[-1], values, 0))
    root = (vectors * roots) @ vectors.T
    inverse = (vectors * np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0)) @ vectors.T
    spectrum, axes = np.linalg.eigh(root @ of_items @ root)
    best = axes[:, ::-1][:, :dim].T
    return Projection(
        (best @ inverse).astype(np.float32),
        (best @ root).astype(np.float32),
        np.maximum(spectrum[::-1], 0),
    )


def _moments(vectors: Floats) -> Doubles:
    wide = vectors.astype(np.float64)
    return wide.T @ wide / len(wide)


def _check(queries: Floats, items: Floats, dim: int, shrinkage: float) -> None:
    for name, vectors in (("queries", queries), ("items", items)):
        if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != items.shape[-1]:
            raise InputError(
                "a projection is learned from queries (Q, D) and items (N, D), at least one each;"
                f" got {queries.shape} and {items.shape}"
            )
        if not np.isfinite(vectors).all():
            raise InputError(f"{name} must be finite, got NaN or infinity")
    if not 1 <= dim <= items.shape[1]:
        raise InputError(f"dim must be in [1, {items.shape[1]}], got {dim}")
    if not 0 <= shrinkage <= 1:
        raise InputError(f"shrinkage must be in [0, 1], got {shrinkage}")
    if not queries.any():
        raise InputError("a projection is learned from queries that are not all zeros")
