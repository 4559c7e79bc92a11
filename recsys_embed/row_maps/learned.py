"""Row maps that were learned from data: arrays travel beside the config, named by their digest."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from recsys_embed import native
from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.protocol import Bounded

Arrays = Mapping[str, NDArray[Any]]
NO_ARRAYS: Arrays = MappingProxyType({})


@dataclass(frozen=True)
class Learned(Bounded):
    """A row map with arrays. Configs hold `digest`; maps with the same fields are the same map.

    Args:
        rows: all rows there can be.
        digest: of the arrays, 16 hexadecimal digits.
    """

    columns: ClassVar[Mapping[str, str]] = {}
    digest: str
    arrays: Arrays = field(init=False, default_factory=lambda: NO_ARRAYS, compare=False, repr=False)

    def with_arrays(self, arrays: Arrays) -> Self:
        """Gives the map its arrays, as read from a file.

        Raises:
            ConfigError: if they are not those whose digest the map has, or do not fit its fields.
        """
        came = {name: array.dtype.str for name, array in arrays.items()}
        if came != dict(self.columns):
            raise ConfigError(f"a {self.kind} row map has arrays {dict(self.columns)}, got {came}")
        if (found := digest_of(arrays)) != self.digest:
            raise ConfigError(
                f"expected a {self.kind} row map with digest {self.digest}, its arrays have {found}"
            )
        whole = dataclasses.replace(self)
        object.__setattr__(whole, "arrays", MappingProxyType(dict(arrays)))
        whole.check()
        return whole

    def check(self) -> None:
        """Refuses arrays that do not fit the fields.

        Raises:
            ConfigError: naming the numbers that disagree.
        """

    def array(self, name: str) -> NDArray[Any]:
        """Gives one of the arrays.

        Raises:
            ConfigError: if the map was read from a config and has not got its arrays yet.
        """
        if name not in self.arrays:
            raise ConfigError(
                f"{self.kind} row map {self.digest} has no arrays; read it from its file, or open"
                " the snapshot that holds it"
            )
        return self.arrays[name]

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Gives the position of each of N ids among those of the map; -1 where it is not there."""
        return self._index.find(np.ascontiguousarray(ids))

    @functools.cached_property
    def _index(self) -> native.IdIndex:
        return native.IdIndex(np.ascontiguousarray(self.array("ids")))

    def whole(self) -> Arrays:
        """Gives all arrays, in the order in which files have them.

        Raises:
            ConfigError: as `array`.
        """
        return {name: self.array(name) for name in self.columns}


def check_sorted(kind: str, ids: NDArray[Any], values: NDArray[Any], name: str) -> None:
    """Refuses ids that do not ascend, or that have more or fewer values than they are.

    Raises:
        ConfigError: naming the numbers.
    """
    if ids.ndim != 1 or ids.shape != values.shape:
        raise ConfigError(f"a {kind} row map has {ids.size} ids and {values.size} {name}")
    if (ids[1:] <= ids[:-1]).any():
        raise ConfigError(f"ids of a {kind} row map must ascend, got {len(ids)} that do not")


def digest_of(arrays: Arrays) -> str:
    """Gives the XXH64 of names, dtypes, shapes and bytes, in the order of the names."""
    parts: list[bytes] = []
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        parts += [f"{name} {array.dtype.str} {array.shape} ".encode(), array.tobytes()]
    data = b"".join(parts)
    digest = native.hash_bytes(data, np.array([0, len(data)], np.int64))
    return f"{int(digest.view(np.uint64)[0]):016x}"


def known_or(
    at: NDArray[np.int64], known: NDArray[np.uint32], other: Callable[[Any], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Gives the row at each position, and those of `other(indices)` where it is -1."""
    if not len(known):
        return other(np.arange(len(at)))
    rows = np.take(known, at, mode="wrap").astype(np.int64)  # -1 wraps, and is replaced below
    unknown = np.flatnonzero(at < 0)
    if len(unknown):
        rows[unknown] = other(unknown)
    return rows
