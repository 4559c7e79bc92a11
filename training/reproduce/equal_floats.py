"""Row maps for Frappe's features that cost the same, importance weights and remaps included.

Features of ten values or fewer keep a row for each value everywhere, as Unified Embedding does
(arXiv 2305.12102); the others get rows in proportion to their values. A map that is taught pays for
what it was taught: so many rows fewer.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from training.readers.frappe import END, FIELDS, OFFSETS

SIZES: dict[str, int] = dict(zip(FIELDS, np.diff([*OFFSETS, END]).tolist(), strict=True))
SMALL = 10
LARGE = tuple(name for name in FIELDS if SIZES[name] > SMALL)
EXACT_ROWS = sum(size for size in SIZES.values() if size <= SMALL)
CLUSTERED = {"user": "item", "item": "user"}
LEVELS, CODES, CONTENT_DIM = 2, 16, 8
MAPS = (
    "hashed",
    "bloom",
    "frequency",
    "double-frequency",
    "quotient-remainder",
    "hash-embedding",
    "multi-chunk",
    "multiplexed-1",
    "multiplexed-2",
    "multiplexed-5",
    "graphhash",
    "double-graphhash",
    "semantic-id",
)
Values = Mapping[str, Any]


class Budget(NamedTuple):
    """What the tables may hold.

    Args:
        share: of the numbers that a row for every value takes.
        dim: of a value's vector.
    """

    share: float
    dim: int

    @property
    def pool(self) -> float:
        """Numbers for all large features."""
        return self.share * END * self.dim - EXACT_ROWS * self.dim

    def of(self, feature: str) -> float:
        """Numbers for one large feature."""
        return self.pool * SIZES[feature] / sum(SIZES[name] for name in LARGE)

    def rows(self, feature: str, row: float | None = None, taught: int = 0) -> int:
        """Rows of `row` numbers for a feature, `dim` if None, at least two.

        Where what a map is `taught` would take all there is, it comes on top.
        """
        left = self.of(feature) - taught
        return max(2, int((left if left > 0 else self.of(feature)) / (row or self.dim)))


def changes(name: str, budget: Budget) -> Values:
    """Says what a map of MAPS changes in a run that has a row for every value."""
    if name.startswith("multiplexed"):
        return _pooled(int(name.partition("-")[2]), budget)
    return {"tables": {f: {"row_map": _row_map(name, f, budget)} for f in LARGE}}


def least_rows(feature: str) -> int:
    """Gives the rows below which quotients and remainders cannot tell a feature's values apart."""
    return int(np.ceil(2 * np.sqrt(SIZES[feature])))


def fits(name: str, budget: Budget) -> bool:
    """Says whether a map can be had for the budget."""
    needed = budget.dim * sum(least_rows(feature) for feature in LARGE)
    return name != "quotient-remainder" or needed <= budget.pool


def _pooled(lookups: int, budget: Budget) -> Values:
    row_map = {
        "kind": "multiplexed",
        "rows": int(budget.pool * lookups / budget.dim),
        "lookups": lookups,
    }
    return {
        "features": {feature: {"table": "pool"} for feature in LARGE},
        "tables": {"pool": {"row_map": row_map}},
    }


def _row_map(name: str, feature: str, budget: Budget) -> Values:
    rows = budget.rows(feature)
    match name:
        case "hashed" | "bloom":
            return {"kind": name, "rows": rows}
        case "frequency" | "double-frequency":
            # a frequent id and its place are three numbers, and half of the rows have one
            own = budget.rows(feature, budget.dim + 1.5)
            return {"kind": name.replace("-", "_"), "rows": own}
        case "quotient-remainder":
            return _quotients(feature, budget)
        case "hash-embedding":
            return _weighted(feature, budget)
        case "multi-chunk":
            return {"kind": "multi_chunk", "rows": 2 * rows}
    if name == "semantic-id" and feature == "item":
        return _semantic(budget)
    if name.endswith("graphhash") and feature in CLUSTERED:
        taught = 3 * SIZES[feature]  # an id and its cluster
        own = budget.rows(feature, taught=taught)
        return {"kind": name.replace("-", "_"), "by": CLUSTERED[feature], "rows": own}
    return {"kind": "hashed", "rows": rows}


def _quotients(feature: str, budget: Budget) -> Values:
    """Shares what is left among the features after each has what it needs."""
    needed = sum(least_rows(f) for f in LARGE)
    left = budget.pool / budget.dim - needed
    share = SIZES[feature] / sum(SIZES[f] for f in LARGE)
    rows = least_rows(feature) + int(left * share)
    return {"kind": "quotient_remainder", "rows": rows, "cardinality": SIZES[feature]}


def _weighted(feature: str, budget: Budget) -> Values:
    """Spends a fifth on importance weights, two an id."""
    sets_a_row = budget.dim // 2
    weights = max(1, budget.rows(feature) // 5)
    rows = max(1, budget.rows(feature) - weights)
    return {"kind": "hash_embedding", "rows": rows, "importance": weights * sets_a_row}


def _semantic(budget: Budget) -> Values:
    taught = SIZES["item"] * (2 + LEVELS) + LEVELS * CODES * CONTENT_DIM
    rows = budget.rows("item", taught=taught)
    return {
        "kind": "semantic_id",
        "text": "app",
        "rows": rows,
        "memorize_rows": rows // 2,
        "levels": LEVELS,
        "codes": CODES,
        "dim": CONTENT_DIM,
    }
