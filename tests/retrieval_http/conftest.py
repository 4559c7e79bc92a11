"""An application that answers from a retriever made of dicts."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from serving.app import create_app
from serving.lean import LeanAPI
from serving.settings import Settings
from tests.retrieval_http.fakes import FakeRetriever
from tests.serving.asking import Asker
from tests.serving.conftest import planted, settings
from tests.serving.fakes import Opener, service_of, table_of

__all__ = ["planted", "settings"]

LIMITS = Settings(snapshot="/none", max_k=50, max_queries=3, max_items=4, max_body_bytes=1 << 16)


class Faked(NamedTuple):
    asker: Asker
    retriever: FakeRetriever
    app: LeanAPI


def faked(settings: Settings) -> Faked:
    app = create_app(settings, Opener(service_of(table_of("item", 2, [1]))))
    asker, retriever = Asker(app), FakeRetriever()
    app.serving.retriever = retriever  # type: ignore[assignment]
    return Faked(asker, retriever, app)


@pytest.fixture
def fake() -> Iterator[Faked]:
    """The whole application in this process, over a retriever that is none."""
    made = faked(LIMITS)
    yield made
    made.retriever.close()


@pytest.fixture(scope="module")
def searchable() -> Iterator[Faked]:
    """The same for tests that may share it."""
    made = faked(LIMITS)
    yield made
    made.retriever.close()
