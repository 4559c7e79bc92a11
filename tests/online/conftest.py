"""Every test that asks for a place or a stream runs with each kind of source."""

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


@pytest.fixture(params=["redis", "kafka"])
def stream(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where records come from that may still be sent."""
    yield from place_of(request.param, request, tmp_path)


@pytest.fixture(params=["replay", "redis", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where records come from."""
    yield from place_of(request.param, request, tmp_path)


def place_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    if kind == "replay":
        yield Replayed(folder)
    elif kind == "kafka":
        yield Topic(folder, request.getfixturevalue("producer"))
    else:
        yield from streamed(folder, request.getfixturevalue("redis_url"))
