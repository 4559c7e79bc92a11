"""The libFM format: `label index:value index:value …`, a line for each event."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, InputError
from training.readers.paths import resolve


@dataclass(frozen=True)
class LibFM:
    """Reads a libFM file; a label above zero counts as 1, others as 0.

    With `fields`, every line must have that many entries, and the k-th gives the columns `<field>`
    (its index) and `<field>_value`. Without, the columns are `indices` and `values`, lists of one
    length: a weighted bag. Several files get a column `part` with their position, for `[split]`.

    Args:
        paths: one file or more, read in this order.
        fields: names of the entries of a line, in order.
    """

    kind: ClassVar[str] = "libfm"
    paths: tuple[str, ...]
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.paths:
            raise ConfigError("data.paths must name at least one libFM file, got none")

    def read(self) -> pl.DataFrame:
        """Returns `label`, `part` and the columns described above."""
        return pl.concat([self._read(resolve(path), part) for part, path in enumerate(self.paths)])

    def _read(self, path: Path, part: int) -> pl.DataFrame:
        labels, lengths, indices, values = parse_lines(path)
        fixed = {"label": (labels > 0).astype(np.int8), "part": np.full(len(labels), part)}
        if self.fields:
            return pl.DataFrame(fixed | self._by_field(path, lengths, indices, values))
        ends = np.cumsum(lengths)
        bags = {
            "indices": [indices[e - n : e] for e, n in zip(ends, lengths, strict=True)],
            "values": [values[e - n : e] for e, n in zip(ends, lengths, strict=True)],
        }
        schema = {"indices": pl.List(pl.Int64), "values": pl.List(pl.Float32)}
        return pl.DataFrame(fixed).hstack(pl.DataFrame(bags, schema=schema))

    def _by_field(
        self,
        path: Path,
        lengths: NDArray[np.int64],
        indices: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> dict[str, NDArray[np.generic]]:
        odd = np.flatnonzero(lengths != len(self.fields))
        if odd.size:
            raise InputError(
                f"data.fields names {len(self.fields)} fields,"
                f" but line {odd[0] + 1} of {path} has {lengths[odd[0]]} entries"
            )
        columns: dict[str, NDArray[np.generic]] = {}
        for k, field in enumerate(self.fields):
            columns[field] = indices[k :: len(self.fields)]
            columns[f"{field}_value"] = values[k :: len(self.fields)]
        return columns


def parse_lines(
    path: Path,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Parses a libFM file: labels (n,), entries a line (n,), all indices and all values.

    Raises:
        InputError: naming the first line that does not follow the format.
    """
    labels, lengths, indices, values = [], [], [], []
    for number, (label, *entries) in _split_lines(path):
        try:
            labels.append(float(label))
            for entry in entries:
                index, value = entry.split(":")
                indices.append(int(index))
                values.append(float(value))
        except ValueError:
            raise InputError(
                f"expected 'label index:value …' on line {number} of {path},"
                f" got {' '.join([label, *entries])[:80]!r}"
            ) from None
        lengths.append(len(entries))
    return (
        np.array(labels, np.float32),
        np.array(lengths, np.int64),
        np.array(indices, np.int64),
        np.array(values, np.float32),
    )


def _split_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open() as lines:
        for number, line in enumerate(lines, 1):
            if words := line.split("#")[0].split():
                yield number, words
