"""Every test that asks for a place runs with each kind of source."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.online.places import Place, Replayed, Topic, streamed


@pytest.fixture(scope="session")
def producer() -> Producer:
    """The owner of a mock cluster of two brokers, which lives as long as the session."""
    cluster = {"bootstrap.servers": "mock", "test.mock.num.brokers": 2, "log_level": 0}
    return Producer({**cluster, "linger.ms": 0})


@pytest.fixture(params=["replay", "redis", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where records come from."""
    if request.param == "replay":
        yield Replayed(tmp_path)
    elif request.param == "kafka":
        yield Topic(tmp_path, request.getfixturevalue("producer"))
    else:
        yield from streamed(tmp_path, request.getfixturevalue("redis_url"))
