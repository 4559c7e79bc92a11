"""The row maps that GraphHash is compared with, each with as many rows as there are clusters."""

from typing import Literal

import numpy as np

from recsys_embed.graphhash import Clustering
from recsys_embed.row_maps import (
    Bloom,
    Collisionless,
    DoubleFrequency,
    Frequency,
    GraphHash,
    RowMapConfig,
)
from training.retrieval.interactions import Pairs

Side = Literal["users", "items"]
SIDES: tuple[Side, Side] = ("users", "items")
MAPS = (
    "full",
    "modulo",
    "double",
    "frequency",
    "double-frequency",
    "graphhash",
    "double-graphhash",
)


def row_map_of(name: str, side: Side, train: Pairs, found: Clustering, seed: int) -> RowMapConfig:
    """Gives one of MAPS for the users or items 0 to N - 1 of a clustering.

    Half of the rows of the frequency maps are the most frequent ids' own. arXiv 2412.17245, §5.1.

    Args:
        name: of MAPS.
        side: whose rows.
        train: pairs that frequencies are counted in.
        found: clusters of both sides; all ids are in `ids`.
        seed: of the hashes.
    """
    part = found.users if side == "users" else found.items
    rows = part.num_rows
    counts = np.bincount(getattr(train, side), minlength=len(part.ids))
    by_count = np.argsort(-counts, kind="stable")
    match name:
        case "full":
            return Collisionless()
        case "modulo":
            return GraphHash.of(part.ids, part.ids % rows)
        case "double":
            return Bloom(rows, hashes=2, seed=seed)
        case "frequency":
            return Frequency.of(by_count, rows, seed=seed)
        case "double-frequency":
            return DoubleFrequency.of(by_count, rows, seed=seed)
    return found.row_map(side, double=name == "double-graphhash", seed=seed)


def learned_numbers(name: str, row_map: RowMapConfig) -> int:
    """Gives how many numbers of four bytes one of MAPS was taught."""
    if name == "modulo":  # clusters here, a formula in truth
        return 0
    return sum(array.nbytes for array in getattr(row_map, "arrays", {}).values()) // 4
