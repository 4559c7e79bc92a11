"""Candidates to bytes."""

from collections.abc import Sequence
from typing import Any

import orjson

from serving.retrieval.asked import Candidates


def encode_candidates(found: Candidates) -> bytes:
    """Writes the candidates of one search as JSON."""
    return _json({"snapshot_version": found.snapshot_version, **_object(found)})


def encode_batch(found: Sequence[Candidates]) -> bytes:
    """Writes the candidates of several searches from one moment as JSON."""
    answers = [_object(one) for one in found]
    return _json({"snapshot_version": found[0].snapshot_version, "answers": answers})


def _object(found: Candidates) -> dict[str, Any]:
    given = {
        "names": found.names,
        "probabilities": found.probabilities,
        "vectors": found.vectors,
        "attributes": found.attributes,
        "explanations": found.explanations,
    }
    return {
        "index": found.index,
        "index_version": found.index_version,
        "tower_version": found.tower_version,
        "query_version": found.query_version,
        "bridged": found.bridged,
        "exact": found.exact,
        "plan": found.plan,
        "searched": found.searched,
        "filtered": found.filtered,
        "below": found.below,
        "ids": found.ids,
        "decimal_ids": list(map(str, found.ids.tolist())),
        "scores": found.scores,
        **{name: value for name, value in given.items() if value is not None},
    }


def _json(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
