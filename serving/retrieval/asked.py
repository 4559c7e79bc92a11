"""What retrieval is asked and what it answers, whatever the transport."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import Parameters
from recsys_embed.retrieval.inputs import Features

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
Combine = Literal["max", "quota"]
Wanted = Literal["vector", "attributes", "explain"]
NO_IDS: Ids = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Vectors:
    """Query vectors, the interests of one user.

    Args:
        values: float32 (M, D), at least one row.
        tower_version: of the tower that made them; that of the index if None.
    """

    values: Floats
    tower_version: str | None = None


@dataclass(frozen=True)
class User:
    """A user whose vector is read from the index's table of users; `asked` names it in errors."""

    id: int
    asked: int | str | None = None


@dataclass(frozen=True)
class Item:
    """An item whose own vector is the query, or that of the asked relation's table."""

    id: int
    asked: int | str | None = None


@dataclass(frozen=True)
class UserFeatures:
    """Raw features of a user, for the user tower."""

    features: Features


@dataclass(frozen=True)
class Diversity:
    """How candidates are kept apart.

    Args:
        balance: of relevance to distance by MMR: 1 is relevance alone, 0 distance alone.
        pool: candidates to choose from; as many as seem enough if None.
        caps: by attribute, how many candidates may share a value of it.
    """

    balance: float = 1.0
    pool: int | None = None
    caps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ask:
    """A question for the K best items.

    Args:
        by: the query.
        index: its name; the one there is if None.
        k: candidates wanted, at least 1; fewer come where fewer fit.
        where: a filter as JSON, see `recsys_embed.index.filters`.
        exclude: items that must not come, int64.
        exclude_seen: leave out what the user's features say the user had already.
        score_threshold: the least score.
        min_probability: the least probability of being relevant.
        diversity: none if None.
        combine: of several query vectors, the best score of each item, or so many items of each.
        quotas: items of each query vector; equal parts if None.
        parameters: of the search; what is None stays as the index was tuned.
        relation: to the item asked by, as the index's description names it.
        wanted: what to give beside ids and scores.
    """

    by: Vectors | User | Item | UserFeatures
    index: str | None = None
    k: int = 100
    where: Any = None
    exclude: Ids = field(default_factory=lambda: NO_IDS)
    exclude_seen: bool = False
    score_threshold: float | None = None
    min_probability: float | None = None
    diversity: Diversity | None = None
    combine: Combine = "max"
    quotas: Sequence[int] | None = None
    parameters: Parameters = Parameters()
    relation: str | None = None
    wanted: frozenset[Wanted] = frozenset()


@dataclass(frozen=True)
class Contribution:
    """What one part of a query adds to a score.

    Args:
        kind: "input": the score less what it is with this feature left out, so that amounts need
            not add up; "dimension": its share of the inner product, all of which add up.
        name: of the feature, or the number of the dimension.
        amount: in units of the score.
    """

    kind: Literal["input", "dimension"]
    name: str
    amount: float


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best items, best first, all from one moment. C of them, at most K.

    Args:
        ids: int64 (C,).
        scores: float32 (C,), by the index's metric; below the one before unless made diverse.
        names: what the description's name attribute says (C,); None if there is no such.
        probabilities: float32 (C,) of being relevant; None without a relevance adapter.
        vectors: float32 (C, D), if wanted.
        attributes: (C,), if wanted; an item without any has none.
        explanations: (C,), if wanted; the largest contributions of each first.
        index: that was searched.
        index_version: of it.
        tower_version: of the item vectors that were searched.
        query_version: of the tower that made the query.
        bridged: whether the query was carried from one tower version to the other.
        snapshot_version: of the tables that the query was read from.
        exact: whether no better item can have been missed.
        searched: items of the index.
        filtered: of those, kept out by `where` and `exclude`.
        below: found, but left out by `score_threshold` or `min_probability`.
        plan: how it was searched, for people.
        tower_s, search_s: seconds until the query vectors were there, and of the search.
    """

    ids: Ids
    scores: Floats
    names: list[str | None] | None
    probabilities: Floats | None
    vectors: Floats | None
    attributes: list[dict[str, Any]] | None
    explanations: list[list[Contribution]] | None
    index: str
    index_version: str
    tower_version: str
    query_version: str
    bridged: bool
    snapshot_version: str
    exact: bool
    searched: int
    filtered: int
    below: int
    plan: str
    tower_s: float
    search_s: float


@dataclass(frozen=True, eq=False)
class ItemWrite:
    """An item to put into an index, by its vector or by its features.

    Args:
        id: None where the features name the item: its id is that of its name then.
        vector: float32 (D,).
        features: raw, for the item tower.
        attributes: all it has from now on; those it has had if None.
    """

    id: int | None = None
    vector: Floats | None = None
    features: Features | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Written:
    """What became of a write: every search that begins after it sees it.

    Args:
        ids: written, in the order of the call.
        missing: of the deleted, how many were not there.
        index_version: that serves now.
        durable: whether it outlives this process, and reaches other workers and servers.
        entry: of the log of items that holds it; None without a log.
    """

    ids: tuple[int, ...]
    missing: int
    index_version: str
    durable: bool
    entry: int | None


VersionState = Literal["active", "ready", "building", "previous"]


@dataclass(frozen=True)
class VersionInfo:
    """A version of an index.

    Args:
        state: the active one answers; a ready one can be activated; the previous one is what
            `rollback` goes back to.
        items: in it.
        created_s: since the epoch.
    """

    version: str
    tower_version: str
    state: VersionState
    items: int
    created_s: float


@dataclass(frozen=True)
class IndexInfo:
    """How an index stands.

    Args:
        name, version, tower_version: of the active one.
        versions: all that are kept, the newest first.
        metric, dim: of its vectors.
        attributes: kind by name.
        user_tower, item_tower: whether it takes features of users, of items.
        users: whether it takes ids of users.
        relations: by which items lead to items.
        relevance: whether it gives probabilities.
        bridged_from: the tower version whose queries are carried to it; None if they are its own.
        unfit: writes that do not fit this version: vectors of another tower version.
        durable: whether writes outlive this process; None where they are refused.
        recall: of real queries, measured against exact search; None before there was one.
        recall_queries: how many queries that is an estimate from.
        stats: of the index itself, plain values.
        refused: why the newest snapshot's retrieval does not serve; None while it does.
    """

    name: str
    version: str
    tower_version: str
    versions: tuple[VersionInfo, ...]
    metric: str
    dim: int
    attributes: dict[str, str]
    user_tower: bool
    item_tower: bool
    users: bool
    relations: tuple[str, ...]
    relevance: bool
    bridged_from: str | None
    unfit: int
    durable: bool | None
    recall: float | None
    recall_queries: int
    stats: dict[str, Any]
    refused: str | None = None
