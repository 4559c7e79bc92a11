"""A log that is told what changes in a bundle; the bundle's snapshot is its entry 0."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from numpy.typing import NDArray

from recsys_embed.config import to_dict
from recsys_embed.delta_log import Base, DeltaLog, Writer
from recsys_embed.deltas import Delta, encode
from recsys_embed.errors import InputError, LogNotFoundError
from training.retrieval.export import Bundle, write_retrieval
from training.retrieval.towers.config import RetrievalConfig

WAIT_S = 15.0  # longer than a writer that was killed holds a log


class Entry(NamedTuple):
    """What an entry of the log told: rows by table, items that came and that went, bytes."""

    number: int
    rows: dict[str, int]
    new: int
    gone: int
    size: int


class Publishing:
    """Tells a log what has changed in a bundle's tables; its snapshot is entry 0.

    Use it in a with block, which lets the log go. One thread.

    Args:
        log: begun anew; what it held is gone.
        root: folder of snapshots.
        bundle: as it is in the beginning.
        config: of the run.
        overwrite: whether a log of another trainer may be begun anew.

    Raises:
        InputError: if the log has entries already, and may not be overwritten.
    """

    def __init__(
        self,
        log: DeltaLog,
        root: Path,
        bundle: Bundle,
        config: RetrievalConfig,
        overwrite: bool = False,
    ) -> None:
        if not overwrite:
            _refuse_begun(log)
        self.tables = bundle.all_tables
        for table in self.tables.values():
            table.track_changes()
        lineage = str(uuid4())
        extra = {"config": to_dict(config), "log": {"lineage": lineage, "number": 0}}
        self.snapshot = write_retrieval(root, bundle, extra=extra)
        self._cursors = {name: table.seq for name, table in self.tables.items()}
        base = Base(0, str(self.snapshot.resolve()))
        self._writer: Writer = log.open_writer(lineage, base=base, wait_s=WAIT_S)

    def __enter__(self) -> "Publishing":
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def append(self, dense: dict[str, NDArray[Any]], new: int, gone: int) -> Entry:
        """Tells all changes since the last entry, and these arrays; durable on return."""
        with ExitStack() as stack:
            changes = {
                name: stack.enter_context(table.changes(self._cursors[name]))
                for name, table in self.tables.items()
                if table.seq > self._cursors[name]
            }
            number = self._writer.number + 1
            told = {"lineage": self._writer.lineage, "number": number}
            delta = Delta.of(changes, **told, token=self._writer.token, dense=dense)  # type: ignore[arg-type]  # a string and a number
        data = encode(delta)
        self._writer.append(number, number - 1, data)
        for name, part in delta.tables.items():
            self._cursors[name] = part.seq
            self.tables[name].forget_changes(part.seq)
        rows = {name: len(part.ids) for name, part in delta.tables.items()}
        return Entry(number, rows, new, gone, len(data))


def _refuse_begun(log: DeltaLog) -> None:
    try:
        head = log.head()
    except LogNotFoundError:
        return
    raise InputError(
        f"{log} has entries up to {head.number} already; name another --log, or let --overwrite"
        " begin it anew"
    )
