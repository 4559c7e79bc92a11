"""The ids of a KeyedJaggedTensor as arrays, cut out for one table, copied only if they must be."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

from recsys_embed.config import near
from recsys_embed.errors import InputError


class Bags(NamedTuple):
    """Ids (N,), offsets (F * B + 1,) of their bags, feature-major, maybe a weight for each id."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]
    weights: NDArray[np.float32] | None


class Place(NamedTuple):
    """Where a table finds its features in a batch: positions among the keys, in its own order."""

    table: str
    positions: tuple[int, ...]
    is_slice: bool


def places_of(keys: Sequence[str], features: Sequence[tuple[str, Sequence[str]]]) -> list[Place]:
    """Finds each (table, its features) among the keys of a batch.

    Raises:
        InputError: when a feature is not among the keys.
    """
    position = {key: i for i, key in enumerate(keys)}
    found = []
    for table, names in features:
        for name in names:
            if name not in position:
                raise InputError(
                    f"table {table!r} needs feature {name!r}, which the batch lacks;"
                    f" {near(name, list(keys))}"
                )
        at = tuple(position[name] for name in names)
        found.append(Place(table, at, at == tuple(range(at[0], at[0] + len(at)))))
    return found


def bags_of(batch: KeyedJaggedTensor, is_weighted: bool) -> Bags:
    """Views a batch as arrays; copies only from another device or dtype.

    Raises:
        InputError: when weights are wanted and absent, or the features differ in batch size.
    """
    if batch.variable_stride_per_key():
        raise InputError(
            "every feature must have the same batch size, got"
            f" {dict(zip(batch.keys(), batch.stride_per_key(), strict=True))}"
        )
    weights = batch.weights_or_none() if is_weighted else None
    if is_weighted and weights is None:
        raise InputError("the collection is weighted, so the batch needs weights; it has none")
    return Bags(
        int64s(batch.values()),
        int64s(batch.offsets()),
        None if weights is None else float32s(weights),
    )


def of_place(bags: Bags, place: Place, num_bags: int) -> Bags:
    """Cuts out the bags of one table: a view where its features lie side by side in the batch."""
    if place.is_slice:
        first = place.positions[0]
        return _between(bags, first * num_bags, (first + len(place.positions)) * num_bags)
    return _joined([_between(bags, p * num_bags, (p + 1) * num_bags) for p in place.positions])


def of_places(bags: Bags, places: Sequence[Place], num_bags: int) -> tuple[Bags, NDArray[np.int64]]:
    """Gives bags in which every table's lie side by side, and the number of each one's first.

    That is the batch itself, unless a table's features are scattered over it.
    """
    if all(place.is_slice for place in places):
        return bags, np.array([place.positions[0] for place in places], np.int64) * num_bags
    counts = [len(place.positions) for place in places]
    starts = np.cumsum([0, *counts[:-1]], dtype=np.int64) * num_bags
    return _joined([of_place(bags, place, num_bags) for place in places]), starts


def _joined(parts: Sequence[Bags]) -> Bags:
    begins = np.cumsum([0, *(len(part.ids) for part in parts)])
    offsets = [part.offsets[:-1] + b for part, b in zip(parts, begins, strict=False)]
    weights = [part.weights for part in parts if part.weights is not None]
    return Bags(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([*offsets, begins[-1:]]),
        np.concatenate(weights) if weights else None,
    )


def int64s(tensor: torch.Tensor) -> NDArray[np.int64]:
    """Gives an integer tensor as an int64 array, without a copy if it is one on the CPU."""
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(f"ids and offsets must be integers, got {tensor.dtype}")
    return _array(tensor.to("cpu", torch.int64))


def float32s(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Gives a tensor as a float32 array, without a copy if it is one on the CPU."""
    return _array(tensor.detach().to("cpu", torch.float32))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    return tensor.contiguous().numpy()


def _between(bags: Bags, first: int, last: int) -> Bags:
    offsets = bags.offsets[first : last + 1]
    start, end = offsets[0], offsets[-1]
    weights = None if bags.weights is None else bags.weights[start:end]
    return Bags(bags.ids[start:end], offsets - start if start else offsets, weights)
