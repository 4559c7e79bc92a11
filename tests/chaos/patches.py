"""What a trainer's process does differently here: it tells its own tables; its clock jumps."""

import time
from pathlib import Path

from recsys_embed.delta_log import directory_files
from tests.chaos.rows import rows_of, save_rows
from training.online.publishing import Publisher

OWN = "own.npz"
FINISHING = "finishing"
HOUR_S = 3600.0
JUMPS_S = 0.2  # apart


def tell_own_tables() -> None:
    """Leaves the tables in the run's folder, as they are in memory once all is published."""
    finish = Publisher.finish

    def finish_and_tell(self: Publisher) -> None:
        folder: Path = self._folder.path
        (folder / FINISHING).touch()
        finish(self)
        tables = self._state.tables
        save_rows(folder / OWN, {name: rows_of(table) for name, table in tables.items()})

    Publisher.finish = finish_and_tell  # type: ignore[method-assign]


def clock_back() -> None:
    """Lets the clock of the process fall back an hour, again and again."""
    tell_own_tables()
    began, clock = time.monotonic(), time.time

    def jumping() -> float:
        return clock() - HOUR_S * ((time.monotonic() - began) // JUMPS_S)

    time.time = jumping
    time.time_ns = lambda: int(jumping() * 1e9)
    assert directory_files.time.time is jumping
