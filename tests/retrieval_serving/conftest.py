"""The planted shop, opened once; and places for a log of items: a directory and a real Redis."""

import pytest

from serving.lookup import LookupService
from tests.delta_log.conftest import folder, place
from tests.retrieval_serving.planted import Planted, plant

__all__ = ["folder", "place"]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """200 items, 40 users, towers of version "one"."""
    return plant(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def service(shop: Planted) -> LookupService:
    """Answers from the shop's snapshot."""
    return LookupService.open(shop.path)
