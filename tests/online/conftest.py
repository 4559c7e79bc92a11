"""Every test that asks for a place runs with each kind of source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.online.places import Place, Replayed, streamed


@pytest.fixture(params=["replay", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where records come from."""
    if request.param == "replay":
        yield Replayed(tmp_path)
    else:
        yield from streamed(tmp_path, request.getfixturevalue("redis_url"))
