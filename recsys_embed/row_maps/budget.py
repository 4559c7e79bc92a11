"""What a table behind a row map costs, every float counted: the x axis of every comparison."""

from typing import NamedTuple

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps.learned import Learned
from recsys_embed.row_maps.protocol import RowMap

FLOAT_BYTES = 4


class Floats(NamedTuple):
    """Floats that training changes, and words of four bytes that the map itself takes.

    Args:
        rows: of all rows, importance weights included.
        remap: of a learned map's arrays: an id is two, a cluster, a code or a piece's score one.
    """

    rows: int
    remap: int

    @property
    def total(self) -> int:
        """Both."""
        return self.rows + self.remap


def floats(row_map: RowMap, dim: int, *, held: int | None = None) -> Floats:
    """Counts the floats of a table of `dim` weights a row; optimizer state is not among them.

    Args:
        row_map: as the table's config has it.
        dim: weights a row.
        held: rows that the table holds (`len(table)`), where every id has its own.

    Raises:
        ConfigError: for a map without a bound on its rows if `held` is missing.

    Example:
        >>> from recsys_embed.row_maps import Frequency, HashEmbedding
        >>> floats(HashEmbedding(rows=100, importance=1000, dim=8), dim=8)
        Floats(rows=2800, remap=0)
        >>> floats(Frequency.of(ids=[30, 10, 20], rows=4), dim=8)
        Floats(rows=32, remap=6)
    """
    rows = row_map.num_rows if row_map.num_rows is not None else held
    if rows is None:
        raise ConfigError(
            f"a {row_map.kind} row map has no bound on its rows; say how many the table holds"
        )
    arrays = row_map.arrays.values() if isinstance(row_map, Learned) else ()
    return Floats(rows * dim, sum(-(-array.nbytes // FLOAT_BYTES) for array in arrays))
