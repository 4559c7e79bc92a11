"""What has changed in a table since a moment: rows, and tombstones of those that went."""

import threading

from recsys_embed import native
from recsys_embed.cut import Cut
from recsys_embed.errors import InputError
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock, Tombstones

ROWS_PER_CALL = 4096  # a writer waits while so many are read


class Changes(Cut):
    """Shows the rows that changed after `since` up to the moment `seq`, and what went by then.

    Taken and read as a cut is: at one moment, while training goes on, any number at once. Taking
    them is cheap; which rows have changed is found by whoever first counts or reads them.
    An id that went and came back has a row here and no tombstone.

    Attributes:
        since, seq: the changes in (since, seq]; `seq` is where the next ones begin.
        tombstones: ids that lost their rows and have none at that moment, by ascending seq.

    Example:
        >>> import numpy as np
        >>> from recsys_embed import CollisionlessTable, TableConfig
        >>> table = CollisionlessTable(TableConfig.of("item", 2))
        >>> table.track_changes()
        >>> table.assign(np.array([7, 8, 9]), np.zeros((3, 2), np.float32))
        >>> cursor = table.seq
        >>> table.assign(np.array([7]), np.ones((1, 2), np.float32))
        >>> _ = table.evict(np.array([8]))
        >>> with table.changes(since=cursor) as changes:
        ...     changes.rows().ids.tolist(), changes.tombstones.ids.tolist(), changes.seq
        ([7], [8], 3)
    """

    def __init__(
        self, table: native.Table, config: TableConfig, since: int, *, admission: bool = False
    ) -> None:
        try:
            begun, lost = table.begin_changes(since, admission)
        except ValueError as error:
            raise InputError(f"table {config.name!r}: {error}") from None
        self._hold(table, config, begun)
        self._is_found, self._finding = False, threading.Lock()
        self.since = since
        self.tombstones = Tombstones(*lost)
        if not admission:
            self.admission = {}

    def __enter__(self) -> "Changes":
        return self

    def _open(self) -> native.Cut:
        cut = super()._open()
        with self._finding:
            if not self._is_found:
                self._table.find_changed(cut)
                self._is_found = True
        return cut

    def rows(self) -> RowBlock:
        """Reads all rows at once into arrays of their own; as `blocks`, once.

        Raises:
            InputError: if they were read before, or the changes are closed.
        """
        cut = self._take_part(0, 1)
        whole = RowBlock.empty(self.num_rows, self.config.dim, self.config.state_width)
        row, done = 0, 0
        while done < self.num_rows:
            room = RowBlock._make(column[done : done + ROWS_PER_CALL] for column in whole)
            row, count = self._table.read_cut(cut, row, cut.end(), native.Columns(*room))
            done += count
        return whole
