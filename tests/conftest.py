"""What every test may ask for: seeded numbers, the shared data sets, repeatable hypothesis runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,  # two shared cores: a slow example says nothing about the code
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture
def rng() -> np.random.Generator:
    """A numpy generator that draws the same numbers in every run."""
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def recsys_data() -> Path:
    """The folder of data sets that may not be redistributed; skips where it is absent."""
    path = Path(os.environ.get("RECSYS_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no data sets at {path}; set RECSYS_DATA to the folder that holds them")
    return path


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server: that of REDIS_URL, or one that lives as long as the session."""
    if "REDIS_URL" in os.environ:
        yield os.environ["REDIS_URL"]
        return
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()
