"""From items found to candidates: thresholds, diversity, and what else is wanted."""

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.config import near
from recsys_embed.index.filters import parse
from recsys_embed.retrieval.diversity import capped, mmr
from recsys_embed.retrieval.relevance import Adapter
from serving.retrieval.asked import Ask, Candidates, Diversity, Floats, Ids
from serving.retrieval.errors import AskError, NoRelevanceError
from serving.retrieval.explaining import explain
from serving.retrieval.moment import Moment, Serving
from serving.retrieval.query import query_of
from serving.retrieval.searching import Prepared, Searched, pool_of, quotas_of

Attributes = list[dict[str, Any]]


class Kept(NamedTuple):
    """What a question leaves of what was found, its places in order; how many were too low."""

    places: NDArray[np.int64]
    probabilities: Floats | None
    below: int


def prepare(moment: Moment, ask: Ask) -> Prepared:
    """Makes the query of a question, and refuses wishes that the index cannot fulfil.

    Raises:
        NoRelevanceError, AskError, FilterError: saying which.
        RecsysEmbedError: as `query_of`.
    """
    started = perf_counter()
    query = query_of(moment, ask)
    _check(ask, query.serving)
    if ask.combine == "quota":
        quotas_of(ask, len(query.vectors))
    where = None if ask.where is None else parse(ask.where, query.serving.parts.schema)
    return Prepared(ask, query, pool_of(ask), where, perf_counter() - started)


def _check(ask: Ask, serving: Serving) -> None:
    parts = serving.parts
    if ask.min_probability is not None:
        if parts.adapter is None:
            raise NoRelevanceError(
                f"index {serving.version.index!r} has no relevance adapter; ask with"
                " score_threshold instead of min_probability"
            )
        if not 0 <= ask.min_probability <= 1:
            raise AskError(f"min_probability must be in [0, 1], got {ask.min_probability}")
    if ask.score_threshold is not None and not np.isfinite(ask.score_threshold):
        raise AskError(f"score_threshold must be a finite number, got {ask.score_threshold}")
    if ask.diversity is not None:
        _check_diversity(ask.diversity, list(parts.schema.kinds))


def _check_diversity(diversity: Diversity, known: list[str]) -> None:
    if not 0 <= diversity.balance <= 1:
        raise AskError(f"diversity: expected lambda in [0, 1], got {diversity.balance}")
    for name, most in diversity.caps.items():
        if name not in known:
            raise AskError(f"diversity: items have no attribute {name!r}; {near(name, known)}")
        if most < 1:
            raise AskError(f"diversity: expected at least 1 of each {name!r}, got {most}")


def answer(found: Searched) -> Candidates:
    """Makes the candidates of what was found."""
    ask = found.prepared.ask
    query, version = found.query, found.query.serving.version
    kept = _thresholds(ask, found)
    if ask.diversity is not None:
        kept = _diverse(ask, ask.diversity, found, kept)
    places = kept.places[: ask.k]
    ids = found.ids[places]
    told = query.serving.parts.told
    vectors = explanations = None
    if ask.wanted & {"vector", "explain"}:
        vectors, _ = found.view.vectors_of(ids)
    if "explain" in ask.wanted and vectors is not None:
        one = found._replace(ids=ids, scores=found.scores[places], of=found.of[places])
        explanations = explain(one, vectors)
    return Candidates(
        ids=ids,
        scores=found.scores[places],
        names=None if told.name is None else _names(found, ids, told.name),
        probabilities=None if kept.probabilities is None else kept.probabilities[places],
        vectors=vectors if "vector" in ask.wanted else None,
        attributes=_attributes(found, ids) if "attributes" in ask.wanted else None,
        explanations=explanations,
        index=version.index,
        index_version=version.name,
        tower_version=version.tower_version,
        query_version=query.tower_version,
        bridged=query.bridged,
        snapshot_version=query.snapshot_version,
        exact=found.exact,
        searched=found.searched,
        filtered=found.filtered,
        below=kept.below,
        plan=found.plan,
        tower_s=found.prepared.tower_s,
        search_s=found.seconds,
    )


def _names(found: Searched, ids: Ids, attribute: str) -> list[str | None]:
    """Reads one attribute alone, which takes a tenth of the time that all do."""
    column = found.view.state.items.columns.column(attribute)
    return list(column.take(found.view.slots_of(ids)))


def _attributes(found: Searched, ids: Ids) -> Attributes:
    return [row or {} for row in found.view.attributes_of(ids)]


def _thresholds(ask: Ask, found: Searched) -> Kept:
    """Leaves out what scores too low or is too unlikely."""
    is_kept = np.ones(len(found.ids), np.bool_)
    if ask.score_threshold is not None:
        is_kept &= found.scores >= ask.score_threshold
    adapter, probabilities = found.query.serving.parts.adapter, None
    if adapter is not None:
        probabilities = _probabilities(adapter, found)
        if ask.min_probability is not None:
            is_kept &= probabilities >= ask.min_probability
    places = np.flatnonzero(is_kept)
    return Kept(places, probabilities, len(found.ids) - len(places))


def _probabilities(adapter: Adapter, found: Searched) -> Floats:
    """Gives each item's probability, by the query vector that it scored best with."""
    if len(found.query.vectors) == 1:
        return adapter.probability(found.query.vectors, found.scores[None]).reshape(-1)
    each = adapter.probability(found.query.vectors[found.of], found.scores[:, None])
    return each.reshape(-1)


def _diverse(ask: Ask, diversity: Diversity, found: Searched, kept: Kept) -> Kept:
    """Chooses K of what is left that are unlike each other, and caps what they share."""
    places = kept.places
    if diversity.balance < 1 and len(places):
        vectors, _ = found.view.vectors_of(found.ids[places])
        most = len(places) if diversity.caps else ask.k
        places = places[mmr(found.scores[places], vectors, most, diversity.balance)]
    if diversity.caps and len(places):
        rows = _attributes(found, found.ids[places])
        places = places[capped(rows, diversity.caps, ask.k)]
    return kept._replace(places=places)
