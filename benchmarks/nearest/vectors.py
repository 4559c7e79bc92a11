"""Items and queries to search: two synthetic sets, and what two towers learned of a real log."""

from dataclasses import dataclass
from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.batches import ids_of
from benchmarks.nearest.towers import Towers
from benchmarks.nearest.truth import best

TUNING = 1000  # queries that an index may be tuned on; the others are asked
GROUPS = 128
KIND_ITEMS = 150  # a group has several kinds of items, of about so many each
ITEM_DECAY, USER_DECAY = 0.5, 1.0  # of the principal variances of Gowalla's towers, to axis 16

Float = NDArray[np.float32]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class VectorSet:
    """Vectors to search by inner product, users' among items'.

    Args:
        name: in the summary's keys.
        ids: int64 (N,), spread over all 2^64.
        vectors: float32 (N, D).
        groups: int64 (N,), the number of the group that an item is of; near items share one.
        queries: float32 (Q, D); the first `TUNING` tune, the others are asked.
    """

    name: str
    ids: Int
    vectors: Float
    groups: Int
    queries: Float

    @property
    def tuning(self) -> Float:
        return self.queries[:TUNING]

    @property
    def asked(self) -> Float:
        return self.queries[TUNING:]


class Arrivals(NamedTuple):
    """A set in time: places (n,) of items there at first, then of those that each round brings.

    The asked queries are divided by the group of the item that is best for them: `old` ones want
    what was there at first, `new[r]` what round r brought.
    """

    first: Int
    later: list[Int]
    old: Float
    new: list[Float]


def planted(items: int, queries: int, dim: int = 64, seed: int = 0) -> VectorSet:
    """Plants groups of kinds of items whose norms vary, and users who want one to three kinds.

    Users are out of the items' distribution, as a tower's are: they lie off the items' mean, are
    shorter, and each axis has its own weight for them.
    """
    rng = np.random.default_rng(seed)
    kinds = max(GROUPS, items // KIND_ITEMS)
    group = rng.integers(0, GROUPS, kinds)
    centres = 0.7 * rng.standard_normal((GROUPS, dim))[group] + 0.7 * _normal(rng, kinds, dim)
    share = rng.lognormal(0, 1, kinds)
    share /= share.sum()
    of = rng.choice(kinds, items, p=share)
    vectors = (centres[of] + 0.5 * _normal(rng, items, dim)) * rng.lognormal(0, 0.25, (items, 1))
    wanted = rng.choice(kinds, (queries, 3), p=share)
    weight = rng.dirichlet(np.full(3, 0.3), queries)  # mostly one kind, sometimes three
    users = np.einsum("qw,qwd->qd", weight, centres[wanted]) + 0.5 * _normal(rng, queries, dim)
    users = 0.3 * (rng.lognormal(0, 0.5, dim) * users + 0.5 * rng.standard_normal(dim))
    return _set("planted", vectors, group[of], users)


def spectrum(items: int, queries: int, dim: int = 128, seed: int = 1) -> VectorSet:
    """Draws normal vectors without any groups, the k-th principal variance k^-decay."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    axis = np.arange(1, dim + 1.0)
    vectors = _normal(rng, items, dim) * axis ** (-ITEM_DECAY / 2) @ turn
    users = _normal(rng, queries, dim) * axis ** (-USER_DECAY / 2) @ turn
    return _set("spectrum", vectors, _grouped(vectors), users)


def learned(towers: Towers, queries: int) -> VectorSet:
    """Takes all items of two towers and random users."""
    users = np.random.default_rng(0).permutation(towers.users)[:queries]
    return _set(towers.log, towers.items, _grouped(towers.items), users)


def arrivals(of: VectorSet, rounds: int) -> Arrivals:
    """Lets the items of two thirds of the groups be there at first, the others come in rounds."""
    order = np.random.default_rng(0).permutation(int(of.groups.max()) + 1)
    begins = np.linspace(len(order) * 2 // 3, len(order), rounds + 1).astype(int)
    round_of_group = np.searchsorted(begins, np.argsort(order), side="right")
    round_of_item = round_of_group[of.groups]
    wanted = round_of_item[best(of.vectors, of.asked, 1)[:, 0]]
    items = [np.flatnonzero(round_of_item == r) for r in range(rounds + 1)]
    asked = [of.asked[wanted == r] for r in range(rounds + 1)]
    return Arrivals(items[0], items[1:], asked[0], asked[1:])


def _set(name: str, vectors: NDArray[np.floating], groups: Int, users: Float) -> VectorSet:
    ids = ids_of(np.arange(len(vectors)))
    return VectorSet(name, ids, vectors.astype(np.float32), groups, users.astype(np.float32))


def _normal(rng: np.random.Generator, count: int, dim: int) -> Float:
    return rng.standard_normal((count, dim), np.float32)


def _grouped(vectors: NDArray[np.floating]) -> Int:
    means = faiss.Kmeans(vectors.shape[1], GROUPS, niter=10, seed=1)
    means.cp.min_points_per_centroid = 1  # small sets have few items a group
    means.train(vectors.astype(np.float32))
    groups: Int = means.assign(vectors.astype(np.float32))[1].astype(np.int64)
    return groups
