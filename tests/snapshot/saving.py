"""Saves snapshots in a loop until it is killed: `python -m tests.snapshot.saving ROOT FIRST`.

Snapshot n holds the number n in every weight and in `extra`; n is printed once it stands.
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from recsys_embed.snapshot import write_snapshot
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig


def save_for_ever(root: Path, first: int) -> None:
    """Never returns."""
    table = CollisionlessTable(TableConfig.of("item", 16))
    ids = np.arange(4000)
    for number in itertools.count(first):
        table.assign(ids, np.full((len(ids), 16), number, np.float32))
        write_snapshot(root, {"item": table}, shards=2, keep=2, extra={"generation": number})
        print(number, flush=True)


if __name__ == "__main__":
    save_for_ever(Path(sys.argv[1]), int(sys.argv[2]))
