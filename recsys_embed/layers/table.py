"""A table of a snapshot under layers of changes: looked up as one."""

from collections.abc import Sequence
from copy import copy
from functools import partial

from recsys_embed import native
from recsys_embed.deltas import TableDelta
from recsys_embed.deltas.digests import config_digest
from recsys_embed.errors import DeltaError
from recsys_embed.layers.layer import Layer, layer_of, merge_layers
from recsys_embed.snapshot.readable import ReadableTable
from recsys_embed.snapshot.table import SnapshotTable


class LayeredTable(ReadableTable):
    """The rows of a snapshot's table after some deltas; it never changes.

    Attributes:
        base: the snapshot's table.
        layers: over it, the newest first.
        seq: that of the table that was followed.
    """

    def __init__(self, base: SnapshotTable) -> None:
        super().__init__(base.config)
        self.base, self.digest = base, config_digest(base.config)
        self._put(base.seq, ())

    def native_layers(self) -> native.Layers:
        """Gives the layers, and the shards of the snapshot under them."""
        return self._native

    @property
    def num_rows(self) -> int:
        """Rows of the table that was followed; the first to ask after a change has them counted."""
        deltas = (layer.added(partial(self._from, k + 1)) for k, layer in enumerate(self.layers))
        return self.base.num_rows + sum(deltas)

    @property
    def layer_bytes(self) -> int:
        """Memory that the layers take."""
        return sum(layer.num_bytes for layer in self.layers)

    def after(self, parts: Sequence[TableDelta]) -> "LayeredTable":
        """Gives the table after changes that follow on it, and on each other.

        Raises:
            DeltaError: if they are of another table or dimension, or there is a gap before them.
        """
        seq = self.seq
        for part in parts:
            _refuse_unfit(part, self, seq)
            seq = part.seq
        if not any(len(part.ids) + len(part.tombstones) for part in parts):
            return self._with(seq, self.layers)
        layer = layer_of(parts, self.config.name)
        return self._with(seq, (layer, *self.layers))

    def worth_merging(self) -> tuple[Layer, ...]:
        """Gives the newest layers that are together as large as the one under them, and that one.

        Where they are merged, each layer is larger than all above it together. So their number is
        logarithmic in the rows, and each row is copied as often at most.
        """
        due = above = 0
        for depth, layer in enumerate(self.layers):
            if depth and len(layer) <= above:
                due = depth + 1
            above += len(layer)
        return self.layers[:due]

    def merge(self, layers: tuple[Layer, ...]) -> Layer:
        """Makes one layer of neighbouring ones among this table's; takes as long as it takes."""
        below = self._from(self._place(layers) + len(layers))
        return merge_layers(layers, below, self.config.name)

    def with_merged(self, layers: tuple[Layer, ...], merged: Layer) -> "LayeredTable":
        """Gives the table with a layer in place of those that it was made of."""
        at = self._place(layers)
        kept = (*self.layers[:at], merged, *self.layers[at + len(layers) :])
        return self._with(self.seq, kept)

    def _with(self, seq: int, layers: tuple[Layer, ...]) -> "LayeredTable":
        other = copy(self)
        other._put(seq, layers)
        return other

    def _put(self, seq: int, layers: tuple[Layer, ...]) -> None:
        self.seq, self.layers = seq, layers
        self._native = self._from(0)

    def _place(self, layers: tuple[Layer, ...]) -> int:
        at = self.layers.index(layers[0])
        assert self.layers[at : at + len(layers)] == layers, "layers that are not neighbours"
        return at

    def _from(self, depth: int) -> native.Layers:
        held = [(layer.index, layer.weights) for layer in self.layers[depth:]]
        return native.Layers([*held, *self.base.build_index()], self.config.dim)


def _refuse_unfit(part: TableDelta, table: LayeredTable, seq: int) -> None:
    name, dim = table.config.name, table.config.dim
    if (part.dim, part.config) != (dim, table.digest):
        raise DeltaError(
            f"table {name!r}: expected changes of {dim} dimensions and config {table.digest}, found"
            f" {part.dim} dimensions and config {part.config}"
        )
    if part.prev_seq > seq:
        raise DeltaError(
            f"table {name!r}: expected changes after {seq}, found changes after {part.prev_seq}:"
            " those between are missing"
        )
    if part.seq < seq:
        raise DeltaError(f"table {name!r}: expected changes beyond {seq}, found some to {part.seq}")
