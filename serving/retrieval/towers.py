"""Towers as onnxruntime runs them: raw features in, vectors out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError, SnapshotCorruptError
from recsys_embed.retrieval.description import Ids, Tower
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import Features, encode
from recsys_embed.snapshot import ReadableTable
from serving.retrieval.asked import Floats

Tables = Mapping[str, ReadableTable]


class Network:
    """A tower that can be run, by any number of threads at once; each run takes one core.

    Args:
        name: of the tower, for errors.
        tower: its description.
        onnx: its file, uint8.
        tables: that it will read, for their widths.

    Raises:
        SnapshotCorruptError: if it is not what the description says, down to the shape and the
            finiteness of what it makes of no features at all.
    """

    def __init__(self, name: str, tower: Tower, onnx: NDArray[np.uint8], tables: Tables) -> None:
        self.name, self.tower = name, tower
        try:
            self._session = _session(onnx.tobytes())
            self._output = self._session.get_outputs()[0].name
            self._refuse_other_inputs()
            self.run([{}, {}], tables)
        except SnapshotCorruptError:
            raise
        except Exception as error:  # onnxruntime's own share no class with each other
            raise SnapshotCorruptError(f"tower {name!r} cannot be run: {error}") from None

    def _refuse_other_inputs(self) -> None:
        found = {one.name for one in self._session.get_inputs()}
        if found != set(self.tower.features):
            raise SnapshotCorruptError(
                f"tower {self.name!r}: expected the inputs {sorted(self.tower.features)}, found"
                f" {sorted(found)} in its ONNX file"
            )

    def run(self, examples: Sequence[Features], tables: Tables) -> Floats:
        """Gives the vectors of B examples, float32 (B, interests, dim).

        Raises:
            FeatureError: for a feature that the tower has not, or a value that it cannot take.
            InputError: for features from which it makes no finite vector.
            SnapshotCorruptError: if what it gives is not of the shape that the description says.
        """
        fed = feed(self.tower, encode(self.tower, examples), tables)
        [made] = self._session.run([self._output], fed)
        tower, shape = self.tower, np.shape(made)
        if shape not in ((len(examples), tower.interests, tower.dim), self._flat(len(examples))):
            raise SnapshotCorruptError(
                f"tower {self.name!r}: expected {tower.interests} vectors of {tower.dim} numbers"
                f" for each of {len(examples)} examples, found an array {shape}"
            )
        if not np.isfinite(made).all():
            raise InputError(
                f"tower {self.name!r} makes no finite vector of these features; are there numbers"
                " far beyond those that it was trained on?"
            )
        vectors = np.asarray(made, np.float32)
        return vectors.reshape(len(examples), tower.interests, tower.dim)

    def run_each(self, examples: Sequence[Features], tables: Tables) -> list[Floats | InputError]:
        """Gives the vectors of each example, (interests, dim), or why it has none.

        They run together; those that cannot be are found by halving.
        """
        if not examples:
            return []
        try:
            return list(self.run(examples, tables))
        except InputError as error:
            if len(examples) == 1:
                return [error]
        half = len(examples) // 2
        return [
            *self.run_each(examples[:half], tables),
            *self.run_each(examples[half:], tables),
        ]

    def _flat(self, count: int) -> tuple[int, ...]:
        return (count, self.tower.dim) if self.tower.interests == 1 else ()


def _session(onnx: bytes) -> Any:
    import onnxruntime  # here, so that a server of lookups alone does not carry it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def tables_of(tower: Tower) -> set[str]:
    """Names the tables that a tower reads."""
    return {one.table for one in tower.inputs if isinstance(one, Ids)}
