"""The fault matrix in small: each fault once or twice, in each kind of log."""

import os
from collections.abc import Iterator

import pytest

from tests.chaos.disks import can_mount
from tests.chaos.ground import Ground, ground
from tests.chaos.matrix import FAULTS, Fault

TIMES = int(os.environ.get("RECSYS_KILLS", "2"))
EVENTS = 3_000
CASES = [(fault, place) for fault in FAULTS for place in fault.places]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "place"), CASES, ids=[f"{fault.name}-{place}" for fault, place in CASES]
)
def test_a_fault_loses_and_doubles_nothing(here: Ground, fault: Fault, place: str) -> None:
    if fault.needs_a_disk and not can_mount():
        pytest.skip("no tmpfs may be mounted here: root may, or `python -m tests.chaos` by itself")
    tally = fault.run(here, fault.planted(here, EVENTS), place, 1 if fault.rows else TIMES)
    assert tally.is_well, tally.why
    assert tally.times == (1 if fault.rows else TIMES) and tally.recovery_s
