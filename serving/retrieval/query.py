"""Query vectors: of a vector, a user, an item, or features."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from recsys_embed.config import near
from recsys_embed.retrieval.description import Ids as IdsInput
from recsys_embed.retrieval.inputs import Features, ids_of
from serving.retrieval.asked import NO_IDS, Ask, Floats, Ids, Item, User, UserFeatures, Vectors
from serving.retrieval.errors import (
    AskError,
    NoTowerError,
    UnknownItemError,
    UnknownUserError,
)
from serving.retrieval.moment import Moment, Serving, serving_of
from serving.retrieval.towers import Network


class Query(NamedTuple):
    """Vectors to search an index with.

    Args:
        serving: the index that is searched.
        vectors: float32 (M, D), in the space of the index.
        exclude: items that must not come, int64.
        tower_version: of what made the vectors.
        bridged: whether they were carried to the index's tower version.
        snapshot_version: of the tables that they were read from.
    """

    serving: Serving
    vectors: Floats
    exclude: Ids
    tower_version: str
    bridged: bool
    snapshot_version: str


def query_of(moment: Moment, ask: Ask) -> Query:
    """Gives the query vectors of a question, and the index that they are for.

    Raises:
        UnknownIndexError, UnknownItemError, UnknownUserError: for names that lead nowhere.
        NoTowerError, AskError, FeatureError: for a query that the index cannot take.
        VersionMismatchError: for a vector of another tower version, without a bridge.
    """
    serving = serving_of(moment, ask.index)
    if ask.relation is not None and not isinstance(ask.by, Item):
        raise AskError("a relation leads from an item: ask by an item")
    if ask.exclude_seen and not isinstance(ask.by, UserFeatures):
        raise AskError("exclude_seen needs the user's features, which say what was seen")
    match ask.by:
        case Vectors():
            return _of_vectors(serving, ask.by, ask.exclude)
        case User():
            return _of_user(serving, ask.by, ask.exclude)
        case Item():
            return _of_item(moment, serving, ask.by, ask)
        case UserFeatures():
            return _of_features(serving, ask.by.features, ask)


def _of_vectors(serving: Serving, by: Vectors, exclude: Ids) -> Query:
    with np.errstate(over="ignore"):
        values = np.asarray(by.values, np.float32)
    if not np.isfinite(values).all():
        raise AskError("a query vector must be finite in float32, got NaN or infinity")
    vectors, bridged = serving.carried(values, by.tower_version)
    version = by.tower_version or serving.version.tower_version
    return Query(serving, vectors, exclude, version, bridged, serving.service.version)


def _of_user(serving: Serving, by: User, exclude: Ids) -> Query:
    name, index = by.id if by.asked is None else by.asked, serving.version.index
    table = serving.bundle.parts[index].told.users
    if table is None:
        raise NoTowerError(
            f"index {index!r} knows no users by id; ask with features, or with a vector"
        )
    vectors, found = serving.service.table(table).lookup(np.array([by.id]), missing="zeros")
    if not found[0]:
        raise UnknownUserError(f"user {name!r} has no vector in table {table!r}; ask with features")
    interests = vectors.reshape(-1, serving.bundle.parts[index].dim)
    return _asked_by_tower(serving, interests, exclude)


def _asked_by_tower(serving: Serving, vectors: Floats, exclude: Ids) -> Query:
    version = serving.bundle.tower_version
    carried = vectors if serving.bridge is None else serving.bridge.apply(vectors)
    bridged = serving.bridge is not None
    return Query(serving, carried, exclude, version, bridged, serving.service.version)


def _of_item(moment: Moment, serving: Serving, by: Item, ask: Ask) -> Query:
    exclude = np.concatenate([ask.exclude, np.array([by.id], np.int64)])
    name = by.id if by.asked is None else by.asked
    if ask.relation is None:
        vectors, found = serving.version.live.vectors_of(np.array([by.id], np.int64))
        where = f"index {serving.version.index!r}"
    else:
        relations = serving.parts.told.relations
        if ask.relation not in relations:
            raise AskError(
                f"index {serving.version.index!r} has no relation {ask.relation!r};"
                f" {near(ask.relation, list(relations))}"
            )
        relation = relations[ask.relation]
        if relation.index != serving.version.index:  # which was not told what is deleted here
            exclude = np.concatenate([exclude, serving.deleted.ids])
        serving = serving_of(moment, relation.index)
        table = serving.own.table(relation.queries)
        vectors, found = table.lookup(np.array([by.id]), missing="zeros")
        where = f"table {relation.queries!r}"
    if not found[0]:
        raise UnknownItemError(f"item {name!r} has no vector in {where}")
    version = serving.version.tower_version
    return Query(serving, vectors, exclude, version, False, serving.own.version)


def _of_features(serving: Serving, features: Features, ask: Ask) -> Query:
    network = user_network(serving)
    [vectors] = network.run([features], serving.service.tables)
    exclude = ask.exclude
    if ask.exclude_seen:
        exclude = np.concatenate([exclude, seen(serving, network, features)])
    return _asked_by_tower(serving, vectors, exclude)


def user_network(serving: Serving) -> Network:
    """Gives the tower that makes an index's queries of features.

    Raises:
        NoTowerError: if there is none.
    """
    tower = serving.bundle.parts[serving.version.index].told.user_tower
    if tower is None:
        raise NoTowerError(
            f"index {serving.version.index!r} has no user tower; ask with a vector or an item"
        )
    return serving.bundle.networks[tower]


def seen(serving: Serving, network: Network, features: Features) -> Ids:
    """Gives the items that a user's features name as seen, all of them.

    Raises:
        AskError: if the index does not say which feature that is.
    """
    told = serving.bundle.parts[serving.version.index].told
    if told.seen is None:
        raise AskError(f"index {serving.version.index!r} does not say which feature was seen")
    [one] = [one for one in network.tower.inputs if one.feature == told.seen]
    if not isinstance(one, IdsInput):
        return NO_IDS
    value: Any = features.get(told.seen)
    return np.array(ids_of(replace(one, most=0), value), np.int64)
