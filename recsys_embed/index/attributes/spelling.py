"""Attributes as arrays, for snapshots and deltas; docs/formats.md says what each array holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import AttributesError
from recsys_embed.index.attributes.checking import Values, checked
from recsys_embed.index.attributes.columns import NUMBERS, Columns
from recsys_embed.index.attributes.schema import Kind, Schema

Arrays = dict[str, NDArray[Any]]
PARTS: Mapping[Kind, Mapping[str, str]] = {
    "int": {"present": "|u1", "values": "<i8"},
    "float": {"present": "|u1", "values": "<f8"},
    "bool": {"present": "|u1", "values": "|u1"},
    "str": {"present": "|u1", "offsets": "<i8", "bytes": "|u1"},
    "tags": {"present": "|u1", "lists": "<i8", "offsets": "<i8", "bytes": "|u1"},
}


def arrays_of(values: Columns | Values, schema: Schema) -> Arrays:
    """Spells the attributes of N items as arrays, `<attribute>/<part>`; `values_of` reads them.

    Args:
        values: columns, all slots of them; or values as in `checked`. An attribute that is left out
            gets no arrays.
        schema: their kinds.

    Raises:
        AttributesError: as `checked`.

    Example:
        >>> arrays_of({"price": [2.5, None]}, Schema({"price": "float"}))
        {'price/present': array([1], dtype=uint8), 'price/values': array([2.5, 0. ])}
    """
    given = values.values(np.arange(len(values))) if isinstance(values, Columns) else values
    count = max((len(column) for column in given.values()), default=0)
    arrays: Arrays = {}
    for name, column in checked(given, schema, count).items():
        present = np.array([value is not None for value in column], bool)
        arrays[f"{name}/present"] = np.packbits(present, bitorder="little")
        for part, array in _spell(schema.kinds[name], column).items():
            arrays[f"{name}/{part}"] = array
    return arrays


def values_of(arrays: Mapping[str, NDArray[Any]], schema: Schema) -> dict[str, list[Any]]:
    """Reads what `arrays_of` spelled: values as `checked` gives them.

    Raises:
        AttributesError: for an attribute whose arrays are not all there, or do not fit each other.

    Example:
        >>> schema = Schema({"countries": "tags"})
        >>> values_of(arrays_of({"countries": [["FR", "DE"], None]}, schema), schema)
        {'countries': [('FR', 'DE'), None]}
    """
    values: dict[str, list[Any]] = {}
    for name, kind in schema.kinds.items():
        parts = {part: arrays[at] for part in PARTS[kind] if (at := f"{name}/{part}") in arrays}
        if not parts:
            continue
        _check_parts(name, kind, parts)
        try:
            values[name] = _read(kind, parts)
        except (ValueError, UnicodeDecodeError) as error:
            raise AttributesError(f"the arrays of attribute {name!r} do not fit: {error}") from None
    return checked(values, schema, max((len(column) for column in values.values()), default=0))


def _spell(kind: Kind, column: Sequence[Any]) -> Arrays:
    if kind in NUMBERS:
        dtype = PARTS[kind]["values"]
        return {"values": np.array([0 if value is None else value for value in column], dtype)}
    if kind == "str":
        return _spell_texts([text or "" for text in column])
    lists = _offsets([len(tags or ()) for tags in column])
    return {"lists": lists, **_spell_texts([tag for tags in column for tag in tags or ()])}


def _spell_texts(texts: Sequence[str]) -> Arrays:
    encoded = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    return {"offsets": _offsets([len(text) for text in encoded]), "bytes": data}


def _offsets(lengths: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _check_parts(name: str, kind: Kind, parts: Mapping[str, NDArray[Any]]) -> None:
    came = {part: array.dtype.str for part, array in parts.items()}
    if came != PARTS[kind] or any(array.ndim != 1 for array in parts.values()):
        raise AttributesError(
            f"attribute {name!r} of kind {kind} is spelled by flat arrays {dict(PARTS[kind])},"
            f" got {came}"
        )


def _read(kind: Kind, parts: Mapping[str, NDArray[Any]]) -> list[Any]:
    column = _READERS[kind](parts)
    if len(parts["present"]) != -(-len(column) // 8):
        raise ValueError(f"{len(column)} values and {len(parts['present'])} bytes of presence")
    present = np.unpackbits(parts["present"], count=len(column), bitorder="little")
    return [v if there else None for v, there in zip(column, present.tolist(), strict=True)]


def _read_bools(parts: Mapping[str, NDArray[Any]]) -> list[Any]:
    if (parts["values"] > 1).any():
        raise ValueError("a truth value is neither 0 nor 1")
    return [value == 1 for value in parts["values"].tolist()]


def _read_texts(parts: Mapping[str, NDArray[Any]]) -> list[Any]:
    data = parts["bytes"].tobytes()
    return [data[a:b].decode() for a, b in _spans(parts["offsets"], len(data))]


def _read_tags(parts: Mapping[str, NDArray[Any]]) -> list[Any]:
    texts = _read_texts(parts)
    return [tuple(texts[a:b]) for a, b in _spans(parts["lists"], len(texts))]


def _spans(offsets: NDArray[Any], end: int) -> list[tuple[int, int]]:
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != end or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets must ascend from 0 to {end}")
    plain = offsets.tolist()
    return list(zip(plain[:-1], plain[1:], strict=True))


_READERS: Mapping[Kind, Callable[[Mapping[str, NDArray[Any]]], list[Any]]] = {
    "int": lambda parts: parts["values"].tolist(),
    "float": lambda parts: parts["values"].tolist(),
    "bool": _read_bools,
    "str": _read_texts,
    "tags": _read_tags,
}
