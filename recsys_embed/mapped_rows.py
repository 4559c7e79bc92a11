"""What a call of a mapped table passes on: features side by side, their rows, bags and vectors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.arrays import as_output
from recsys_embed.errors import InputError
from recsys_embed.row_maps.combining import Mapped
from recsys_embed.row_maps.pooling import pool
from recsys_embed.table_arguments import Missing, Mode
from recsys_embed.table_types import Rows

Floats = NDArray[np.float32]
Parts = tuple[Mapped, ...]


class MappedRows(NamedTuple):
    """Where a training lookup found the rows of its ids, feature by feature.

    `rows` are the handle of the table beneath, or row ids; `vectors` are what the rows held, where
    the gradient depends on it.
    """

    rows: Rows | NDArray[np.int64]
    parts: Parts
    vectors: Floats | None


def flat_rows(parts: Parts) -> NDArray[np.int64]:
    """Gives all rows of all features, feature by feature."""
    return parts[0].flat if len(parts) == 1 else np.concatenate([part.flat for part in parts])


def spans_of(offsets: NDArray[np.int64], num_features: int) -> list[NDArray[np.int64]]:
    """Gives the offsets of each feature's bags, (B + 1,) each."""
    num_bags = (len(offsets) - 1) // num_features
    return [offsets[f * num_bags : (f + 1) * num_bags + 1] for f in range(num_features)]


def weights_of(weights: Floats | None, offsets: NDArray[np.int64]) -> Floats | None:
    """Gives the weights of the ids of some bags."""
    return None if weights is None else weights[offsets[0] : offsets[-1]]


def pooled_vectors(
    vectors: Sequence[Floats], offsets: NDArray[np.int64], weights: Floats | None, mode: Mode
) -> Floats:
    """Pools the vectors of each feature; what comes of them lies side by side."""
    each = zip(vectors, spans_of(offsets, len(vectors)), strict=True)
    pooled = [pool(v, at - at[0], weights_of(weights, at), mode) for v, at in each]
    return np.concatenate(pooled, axis=1)


def filled(out: Any, values: Floats) -> Floats:
    """Gives the values, in the caller's `out` if there is one."""
    if out is None:
        return values
    target = as_output(out, *values.shape)
    target[:] = values
    return target


def refuse_other_spans(parts: Parts, offsets: NDArray[np.int64], num_features: int) -> None:
    """Refuses bags of other features, or of features with other ids, than a lookup had.

    Raises:
        InputError: naming both.
    """
    if num_features != len(parts):
        raise InputError(f"the rows are of {len(parts)} features, got {num_features}")
    of_lookup = [len(part.ids) for part in parts]
    given = [int(at[-1] - at[0]) for at in spans_of(offsets, num_features)]
    if given != of_lookup:
        raise InputError(
            f"the features of the lookup had {of_lookup} ids, got {given}; give the offsets of the"
            " lookup"
        )


def rowwise(missing: Missing) -> Missing:
    """Gives the policy back.

    Raises:
        InputError: for a vector, which cannot be what one of several rows reads.
    """
    if isinstance(missing, str):
        return missing
    raise InputError(
        "in training, a row that shared ids lack reads 'initial' or 'zeros', got a vector"
    )
