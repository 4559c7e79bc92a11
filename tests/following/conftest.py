"""Every test that asks for a place runs with a directory and with a real Redis."""

import pytest

from serving.following import steps
from tests.delta_log.conftest import folder, place

__all__ = ["folder", "place"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that is told to stop does so at once."""
    monkeypatch.setattr(steps, "WAIT_S", 0.03)
