"""Why an item was found: what parts of the query add to its score."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from serving.retrieval.asked import Contribution, Floats, UserFeatures
from serving.retrieval.query import Query, user_network
from serving.retrieval.searching import Searched

SHOWN = 8
Kind = Literal["input", "dimension"]


def explain(found: Searched, vectors: Floats) -> list[list[Contribution]]:
    """Gives the largest contributions to each score, at most eight, the largest first.

    Of features, each is left out in turn and the tower run again, all in one batch; of a vector,
    each dimension's share of the inner product is given.

    Args:
        vectors: of the items found, (C, D), as the index compares them.
    """
    query, by = found.query, found.prepared.ask.by
    if isinstance(by, UserFeatures):
        given = [name for name, value in by.features.items() if value is not None]
        amounts = _of_inputs(query, by, given, found, vectors)
        return [_largest("input", given, row) for row in amounts]
    names = [str(dimension) for dimension in range(vectors.shape[1])]
    shares = _unit(query, query.vectors)[found.of] * vectors
    return [_largest("dimension", names, row) for row in shares]


def _of_inputs(
    query: Query, by: UserFeatures, given: Sequence[str], found: Searched, vectors: Floats
) -> Floats:
    """Gives, (C, F), what each score loses when each of F features is left out."""
    if not given:
        return np.zeros((len(vectors), 0), np.float32)
    less = [{k: v for k, v in by.features.items() if k != name} for name in given]
    made = user_network(query.serving).run(less, query.serving.service.tables)  # (F, M, D)
    bridge = query.serving.bridge
    flat = made.reshape(-1, made.shape[-1])
    without = _unit(query, flat if bridge is None else bridge.apply(flat))
    of_item = without.reshape(*made.shape[:2], -1)[:, found.of]  # (F, C, D)
    whole = _unit(query, query.vectors)[found.of]
    scores = np.einsum("cd,cd->c", whole, vectors)
    less_scores = np.einsum("fcd,cd->cf", of_item, vectors)
    return np.asarray(scores[:, None] - less_scores, np.float32)


def _unit(query: Query, vectors: Floats) -> Floats:
    if query.serving.parts.told.metric != "cosine":
        return vectors
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _largest(kind: Kind, names: Sequence[str], amounts: Floats) -> list[Contribution]:
    order = np.argsort(-np.abs(amounts), kind="stable")[:SHOWN]
    return [Contribution(kind, names[at], float(amounts[at])) for at in order.tolist()]
