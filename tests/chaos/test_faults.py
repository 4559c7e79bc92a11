"""The fault matrix in small: each fault once in the suite, more often by RECSYS_KILLS."""

import os

import pytest

from tests.chaos import log_faults
from tests.chaos.disks import can_mount
from tests.chaos.ground import Ground
from tests.chaos.matrix import FAULTS, Fault

EVENTS = 3_000
TIMES = int(os.environ.get("RECSYS_KILLS", "1"))
# the suite takes turns between the kinds of log: each has its own contract suite besides
CASES = [
    (fault, place)
    for turn, fault in enumerate(FAULTS)
    for place in (fault.places if TIMES > 1 else [fault.places[turn % len(fault.places)]])
]


@pytest.mark.parametrize(
    ("fault", "place"), CASES, ids=[f"{fault.name}-{place}" for fault, place in CASES]
)
def test_a_fault_loses_and_doubles_nothing(
    here: Ground, monkeypatch: pytest.MonkeyPatch, fault: Fault, place: str
) -> None:
    if fault.needs_a_disk and not can_mount():
        pytest.skip("no tmpfs may be mounted here: root may, or `python -m tests.chaos` by itself")
    monkeypatch.setattr(log_faults, "LONGEST_PAUSE_S", 1.0)
    times = 1 if fault.rows else TIMES
    tally = fault.run(here, fault.planted(here, EVENTS), place, times)
    assert tally.is_well, tally.why
    assert tally.times == times and tally.recovery_s
