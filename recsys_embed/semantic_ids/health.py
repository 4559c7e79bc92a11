"""Whether codebooks are well used: perplexity, dead codes, shared IDs, error."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsys_embed.errors import InputError
from recsys_embed.semantic_ids.codebooks import Codebooks, checked_codes


@dataclass(frozen=True)
class Health:
    """How N items use codebooks.

    Args:
        items: N.
        codes: K a level.
        perplexity: by level, exp(-sum p log p) of the shares p of its codes; 1 if all items share
            a code, K if all codes are used alike.
        dead_codes: by level, codes that no item has.
        unique_ids: distinct semantic IDs / N.
        largest_bucket: items that share the most frequent semantic ID.
        relative_error: sum |x - reconstruction|^2 / sum |x|^2.
    """

    items: int
    codes: int
    perplexity: tuple[float, ...]
    dead_codes: tuple[int, ...]
    unique_ids: float
    largest_bucket: int
    relative_error: float

    def write(self, path: Path) -> None:
        """Writes the figures as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def measure_health(codebooks: Codebooks, contents: ArrayLike) -> Health:
    """Measures how contents (N, width) use codebooks.

    Raises:
        InputError: if there is no content, or as `Codebooks.encode`.

    Example:
        >>> codebooks = Codebooks(np.array([[[0], [10], [20]]], np.float32))
        >>> found = measure_health(codebooks, [[0], [0], [10], [10]])
        >>> found.perplexity, found.dead_codes, found.unique_ids, found.largest_bucket
        ((2.0,), (1,), 0.5, 2)
    """
    codes = codebooks.encode(contents)
    if not len(codes):
        raise InputError("the health of codebooks is measured on 1 item or more, got 0")
    buckets = bucket_sizes(codes)
    used = [np.bincount(level, minlength=codebooks.codes) for level in codes.T]
    return Health(
        items=len(codes),
        codes=codebooks.codes,
        perplexity=tuple(perplexity(counts) for counts in used),
        dead_codes=tuple(int(np.count_nonzero(counts == 0)) for counts in used),
        unique_ids=len(buckets) / len(codes),
        largest_bucket=int(buckets.max()),
        relative_error=codebooks.relative_error(contents),
    )


def perplexity(counts: ArrayLike) -> float:
    """Gives exp of the entropy of counts (K,), of which one at least is above 0.

    Example:
        >>> round(perplexity([3, 3, 0, 3]), 6)
        3.0
    """
    given = np.asarray(counts, np.float64)
    shares = given[given > 0] / given.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def bucket_sizes(codes: ArrayLike) -> NDArray[np.int64]:
    """Counts the items of each distinct semantic ID in codes (N, L), in the order of the IDs."""
    given = np.asarray(codes)
    checked = checked_codes(given, given.shape[1], int(given.max(initial=0)) + 1)
    return np.unique(checked, axis=0, return_counts=True)[1]
