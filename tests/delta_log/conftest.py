"""Every test that asks for a place runs in a directory and in a real Redis."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delta_log.places import Directories, Place, streams

MEMORY = Path("/dev/shm")  # a disk that is quick to bring files to, where there is one


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture(params=["directory", "redis"])
def place(request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    """Where logs are kept."""
    if request.param == "directory":
        yield Directories(folder)
    else:
        yield from streams(request.getfixturevalue("redis_url"))
