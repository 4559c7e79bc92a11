"""What a client writes of items, made into words: checked, embedded, nothing left to refuse."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recsys_embed.errors import InputError
from recsys_embed.index.arguments import LARGEST, comparable
from recsys_embed.index.attributes import by_attribute, checked
from recsys_embed.retrieval.description import Ids as IdsInput
from recsys_embed.retrieval.inputs import Features, ids_of
from serving.retrieval.asked import Floats, Ids, ItemWrite
from serving.retrieval.errors import AskError, NoTowerError, VersionMismatchError
from serving.retrieval.moment import Serving
from serving.retrieval.spelling import as_json
from serving.retrieval.towers import Network
from serving.retrieval.words import Word, Words


def words_of(
    serving: Serving, items: Sequence[ItemWrite], tower_version: str | None
) -> tuple[list[int], Words]:
    """Makes a word of each item; of an item that comes twice, the last counts.

    Returns:
        the ids in the order of the items, and the words.

    Raises:
        VersionMismatchError: for vectors of another tower version.
        NoTowerError: for features without a tower that takes them.
        AskError, FeatureError, AttributesError: for an item that cannot be; names which.
    """
    own = serving.version.tower_version
    if tower_version not in (None, own):
        raise VersionMismatchError(
            f"index {serving.version.index!r} holds vectors of tower version {own!r}, the items"
            f" are of {tower_version!r}; send features, or vectors of {own!r}"
        )
    vectors = _vectors(serving, items)
    ids = [_id(serving, item, at) for at, item in enumerate(items)]
    attributes = _attributes(serving, items, ids)
    rows, before = serving.version.generation.said_over(
        serving.version.index, np.array(ids, np.int64)
    )
    words = Words()
    for at, item in enumerate(items):
        features = None if item.features is None else as_json(item.features)
        words[ids[at]] = Word(vectors[at], own, features, attributes[at], rows[at], before[at])
    return ids, words


def _vectors(serving: Serving, items: Sequence[ItemWrite]) -> list[Floats]:
    given = [_vector(serving, item, at) for at, item in enumerate(items)]
    lacking = [at for at, vector in enumerate(given) if vector is None]
    if not lacking:
        return _comparable(serving, [vector for vector in given if vector is not None])
    features = [items[at].features or {} for at in lacking]
    made = _item_network(serving).run_each(features, serving.own.tables)
    for at, vectors in zip(lacking, made, strict=True):
        if isinstance(vectors, InputError):
            raise type(vectors)(f"items.{at}: {vectors}")
        given[at] = vectors[0]
    return _comparable(serving, [vector for vector in given if vector is not None])


def _vector(serving: Serving, item: ItemWrite, at: int) -> Floats | None:
    """Gives the vector that came, or none where there are features that make one."""
    dim = serving.parts.dim
    if (item.vector is None) == (item.features is None):
        got = "neither" if item.vector is None else "both"
        raise AskError(f"items.{at}: expected either a vector or features, got {got}")
    if item.vector is None:
        names = _item_network(serving).tower.features
        if not any(value is not None for value in (item.features or {}).values()):
            raise AskError(f"items.{at}: expected at least one of the features {list(names)}")
        return None
    with np.errstate(over="ignore"):
        vector = np.array(item.vector, np.float32)
    if vector.shape != (dim,) or not np.isfinite(vector).all():
        raise AskError(
            f"items.{at}: expected {dim} finite numbers in float32, got an array of shape"
            f" {vector.shape}{' with NaN or infinity' if vector.shape == (dim,) else ''}"
        )
    return vector


def _comparable(serving: Serving, vectors: Sequence[Floats]) -> list[Floats]:
    """Gives the vectors if the index takes them all: none is refused once its word is kept."""
    metric, rows = serving.parts.told.metric, np.reshape(vectors, (-1, serving.parts.dim))
    if not (fits := comparable(rows, metric)).all():
        at = int(np.argmin(fits))
        raise AskError(
            f"items.{at}: expected numbers within {LARGEST[metric]:g} of 0, whose products fit"
            f" float32, got {np.abs(rows[at]).max():g}"
        )
    return [*vectors]


def _item_network(serving: Serving) -> Network:
    tower = serving.parts.told.item_tower
    if tower is None:
        raise NoTowerError(
            f"index {serving.version.index!r} has no item tower; send vectors instead of features"
        )
    return serving.version.generation.bundle.networks[tower]


def _id(serving: Serving, item: ItemWrite, at: int) -> int:
    named = _named(serving, item.features or {})
    if item.id is None and named is None:
        raise AskError(f"items.{at}: expected an id, or features that name the item")
    if item.id is not None and named is not None and item.id != named:
        raise AskError(
            f"items.{at}: expected the id of the item that the features name, {named}, got"
            f" {item.id}; leave the id out"
        )
    id = named if item.id is None else item.id
    assert id is not None
    if not -(2**63) <= id < 2**63:
        raise AskError(f"items.{at}: expected an id in [-2^63, 2^63), got {id}")
    return id


def _named(serving: Serving, features: Features) -> int | None:
    """Gives the id of the item that features name: the tower's own input for it."""
    told = serving.parts.told
    if told.item is None or features.get(told.item) is None:
        return None
    tower = _item_network(serving).tower
    [one] = [one for one in tower.inputs if one.feature == told.item]
    if not isinstance(one, IdsInput):
        return None
    ids = ids_of(one, features[told.item])
    return ids[0] if len(ids) == 1 else None


def _attributes(
    serving: Serving, items: Sequence[ItemWrite], ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Gives all that each item has from now on; what it has had where the write does not say."""
    held = serving.version.live.attributes_of(np.array(ids, np.int64))
    rows: list[Mapping[str, Any]] = [
        (had or {}) if item.attributes is None else item.attributes
        for item, had in zip(items, held, strict=True)
    ]
    told = serving.parts.told
    for at, item in enumerate(items):
        name = (item.features or {}).get(told.item or "")
        if told.name is not None and isinstance(name, str):
            rows[at] = {told.name: name, **rows[at]}
    checked(by_attribute(rows), serving.parts.schema, len(rows))
    return [as_json({k: v for k, v in row.items() if v is not None}) for row in rows]


def ids_array(ids: Sequence[int]) -> Ids:
    """Gives ids as an array.

    Raises:
        AskError: for one that is none.
    """
    for at, id in enumerate(ids):
        if not -(2**63) <= id < 2**63:
            raise AskError(f"ids.{at}: expected an integer in [-2^63, 2^63), got {id}")
    return np.array(ids, np.int64)
