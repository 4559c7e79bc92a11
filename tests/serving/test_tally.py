"""Counts add up over the workers of a server, as if one had done all of the work."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from serving.tally import Tally

BOUNDS = (1.0, 2.5, 10.0)
NO_PROCESS = 2**22 + 1  # above any process id that Linux gives


@given(values=st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.5, 3.0, 10.0, 11.0])))
def test_a_histogram_counts_each_value_under_its_least_bound(values: list[float]) -> None:
    tally = Tally()
    for value in values:
        tally.observe(("h",), BOUNDS, value)
    expected = [
        sum(value <= 1.0 for value in values),
        sum(1.0 < value <= 2.5 for value in values),
        sum(2.5 < value <= 10.0 for value in values),
        sum(value > 10.0 for value in values),
        sum(values),
    ]
    assert tally.rows.get(("h",), [0] * 5) == expected


def written_by(pid: int, folder: Path) -> None:
    """Leaves counts in the folder as another worker would."""
    tally = Tally(folder)
    tally.add(("c", "a"), 5)
    tally.add(("g",), 2)
    tally.observe(("h",), BOUNDS, 2.0)
    tally.publish()
    (folder / f"{os.getpid()}.json").rename(folder / f"{pid}.json")


def test_the_total_adds_up_what_each_worker_wrote_down(tmp_path: Path) -> None:
    written_by(os.getppid(), tmp_path)
    own = Tally(tmp_path)
    own.add(("c", "a"))
    own.add(("c", "b"))
    own.publish()
    own.add(("c", "a"))
    assert own.total(gauges=["g"]) == {
        ("c", "a"): [7],
        ("c", "b"): [1],
        ("g",): [2],
        ("h",): [0, 1, 0, 0, 2.0],
    }
    assert own.rows == {("c", "a"): [2], ("c", "b"): [1]}, "adding up changes nothing"


def test_a_dead_worker_leaves_its_counts_but_not_its_gauges(tmp_path: Path) -> None:
    written_by(NO_PROCESS, tmp_path)
    total = Tally(tmp_path).total(gauges=["g"])
    assert total["c", "a"] == [5]
    assert ("g",) not in total


def test_a_single_worker_writes_nothing_down(tmp_path: Path) -> None:
    tally = Tally()
    tally.add(("c",))
    tally.publish()
    tally.publish_soon()
    assert tally.total(gauges=[]) == {("c",): [1]}
