"""What is done beside the following may fail; it is told once, and done again later."""

from types import SimpleNamespace
from typing import Any

import pytest

from recsys_embed.delta_log import Base
from serving.following.upkeep import Upkeep


def test_a_merge_that_fails_once_is_done_the_next_time() -> None:
    failures = [MemoryError("once")]

    def merging() -> Any:
        if failures:
            raise failures.pop()
        return lambda tables: "merged"

    upkeep = Upkeep(None)
    tables: Any = SimpleNamespace(base=0, num_layers=99, merging=lambda: merging)
    head: Any = SimpleNamespace(base=Base(), lineage="")
    upkeep.begin(tables, head)
    with pytest.raises(MemoryError, match="once"):
        upkeep.merged(tables)
    assert upkeep.merged(tables) is tables
    upkeep.begin(tables, head)
    assert upkeep.merged(tables) == "merged"
    upkeep.stop()
