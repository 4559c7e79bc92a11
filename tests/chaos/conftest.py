"""A ground for all tests; the reckoning is tried on a directory and on a real Redis besides."""

from collections.abc import Iterator

import pytest

from tests.chaos.ground import Ground, ground
from tests.delta_log.conftest import folder, place

__all__ = ["folder", "place"]


@pytest.fixture(scope="package")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Where scenes are set."""
    with ground(tmp_path_factory.mktemp("chaos")) as made:
        yield made
