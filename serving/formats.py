"""Answers to bytes, in the format the client's Accept header prefers."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from recsys_embed.errors import RecsysEmbedError
from serving.asked import Answer

Format = Literal[
    "application/json",
    "application/vnd.apache.arrow.stream",
    "application/x-npy",
    "application/octet-stream",
]
JSON: Format = "application/json"
ARROW: Format = "application/vnd.apache.arrow.stream"
NPY: Format = "application/x-npy"
RAW: Format = "application/octet-stream"
ONE_TABLE: tuple[Format, ...] = (JSON, ARROW, NPY, RAW)
SEVERAL_TABLES: tuple[Format, ...] = (JSON, ARROW, RAW)

STATUS_WORDS = ("missing", "found")


class NotAcceptableError(RecsysEmbedError):
    """An Accept header that leaves none of a route's formats."""


@dataclass(frozen=True)
class Encoded:
    """A response body, and the headers it needs to be read."""

    body: bytes
    media_type: Format
    headers: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1024)
def negotiate(accept: bytes, offered: tuple[Format, ...]) -> Format:
    """Picks the format of highest weight (RFC 9110, 12.5.1); equal weights keep the order offered.

    No header accepts everything. The most specific range decides a format's weight; 0 refuses it.

    Raises:
        NotAcceptableError: naming the formats offered.

    Example:
        >>> negotiate(b"application/x-npy;q=0.5, application/octet-stream", ONE_TABLE)
        'application/octet-stream'
    """
    ranges = _ranges(accept.decode("latin-1")) if accept.strip() else {"*/*": 1.0}
    weights = [_weight(ranges, media_type) for media_type in offered]
    if max(weights) <= 0:
        raise NotAcceptableError(
            f"this route answers in {', '.join(offered)}; Accept allows none of them"
        )
    return offered[weights.index(max(weights))]


def _ranges(accept: str) -> dict[str, float]:
    ranges: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_range, *parameters = [piece.strip() for piece in part.split(";")]
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            ranges[media_range] = min(float(quality), 1.0)
        except ValueError:
            raise NotAcceptableError(
                f"Accept gives {media_range} the weight {quality!r}, not a number"
            ) from None
    return ranges


def _weight(ranges: dict[str, float], media_type: str) -> float:
    kind = media_type.split("/")[0]
    for media_range in (media_type, f"{kind}/*", "*/*"):
        if media_range in ranges:
            return ranges[media_range]
    return 0.0


def encode_one(answer: Answer, version: str, media_type: Format) -> Encoded:
    """Writes one table's answer."""
    if media_type == JSON:
        return _json({"snapshot_version": version, **_table_object(answer)})
    if media_type == ARROW:
        vectors = pa.FixedSizeListArray.from_arrays(_flat(answer), answer.values.shape[1])
        return _arrow([answer], vectors, {"snapshot_version": version, "table": answer.table})
    if media_type == NPY:
        buffer = io.BytesIO()
        np.lib.format.write_array(
            buffer, _little(answer.values), version=(1, 0), allow_pickle=False
        )
        return Encoded(buffer.getvalue(), NPY, _found_header([answer]))
    return _raw([answer])


def encode_several(answers: Sequence[Answer], version: str, media_type: Format) -> Encoded:
    """Writes the answers of several tables, in the order asked."""
    if media_type == JSON:
        return _json({"snapshot_version": version, "lookups": [_table_object(a) for a in answers]})
    if media_type == ARROW:
        lengths = np.concatenate(
            [np.full(a.found.size, a.values.shape[1], np.int32) for a in answers]
        )
        offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
        vectors = pa.ListArray.from_arrays(
            pa.array(offsets), pa.concat_arrays([_flat(a) for a in answers])
        )
        return _arrow(answers, vectors, {"snapshot_version": version})
    return _raw(answers)


def _table_object(answer: Answer) -> dict[str, Any]:
    return {
        "table": answer.table,
        "dim": answer.values.shape[1],
        "status": list(map(STATUS_WORDS.__getitem__, answer.found.tolist())),
        "vectors": answer.values,
        **({} if answer.codes is None else {"semantic_ids": answer.codes}),
    }


def _json(content: dict[str, Any]) -> Encoded:
    return Encoded(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), JSON)


def _raw(answers: Sequence[Answer]) -> Encoded:
    shapes = ";".join(f"{a.values.shape[0]},{a.values.shape[1]}" for a in answers)
    headers = {"X-Shape": shapes, "X-Dtype": "float32", **_found_header(answers)}
    return Encoded(b"".join([_little(a.values).tobytes() for a in answers]), RAW, headers)


def _found_header(answers: Sequence[Answer]) -> dict[str, str]:
    found = np.concatenate([a.found for a in answers]) if len(answers) > 1 else answers[0].found
    bits = np.packbits(found, bitorder="little").tobytes()
    return {"X-Found": base64.b64encode(bits).decode()}


def _little(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.astype("<f4", copy=False)


def _flat(answer: Answer) -> pa.Array:
    return pa.array(answer.values.reshape(-1), pa.float32())


def _ids(answer: Answer) -> pa.Array:
    return pa.nulls(answer.found.size, pa.int64()) if answer.ids is None else pa.array(answer.ids)


def _codes(answer: Answer) -> pa.Array:
    kind = pa.list_(pa.int32())
    if answer.codes is None:
        return pa.nulls(answer.found.size, kind)
    return pa.array(answer.codes.tolist(), kind)


def _arrow(answers: Sequence[Answer], vectors: pa.Array, metadata: dict[str, str]) -> Encoded:
    words = pa.array(STATUS_WORDS)
    columns = {
        "table": pa.array([a.table for a in answers for _ in range(a.found.size)], pa.string()),
        "id": pa.concat_arrays([_ids(a) for a in answers]),
        "status": words.take(pa.concat_arrays([pa.array(a.found.view(np.uint8)) for a in answers])),
        "vector": vectors,
    }
    if any(a.codes is not None for a in answers):
        columns["semantic_id"] = pa.concat_arrays([_codes(a) for a in answers])
    batch = pa.record_batch(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return Encoded(sink.getvalue().to_pybytes(), ARROW)
