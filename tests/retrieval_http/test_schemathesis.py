"""Schemathesis asks every route, new and old, what its document allows and what it does not.

RECSYS_SCHEMATHESIS_EXAMPLES sets how many requests an operation is fuzzed with.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from recsys_embed.mapped_table import make_table
from recsys_embed.snapshot import write_snapshot
from recsys_embed.table_config import TableConfig
from serving.app import create_app
from serving.lean import LeanAPI
from serving.settings import Settings
from tests.retrieval_http.narrowing import Schema, named, narrowed
from tests.retrieval_serving.planted import DIM, plant
from tests.serving.mapped import ITEMS, semantic

EXAMPLES = int(os.environ.get("RECSYS_SCHEMATHESIS_EXAMPLES", "4"))
# a document cannot say how wide vectors are, or which fields go together: those are 422 and 413
TABLES = ["item", "customer", "user_vector"]
REFUSED = {"positive_data_acceptance": ["2xx", "400", "401", "403", "404", "409", "413", "422"]}
TOO_MUCH = {"negative_data_rejection": ["4xx"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeanAPI]:
    """The whole application over the planted shop; its lifespan is schemathesis' own."""
    root = plant(tmp_path_factory.mktemp("shop"), items=40).root
    yield create_app(Settings(snapshot=root, max_k=50, max_queries=4, max_items=8, shadow_share=0))


def run(app: LeanAPI, document: Schema, mode: str, statuses: dict[str, list[str]]) -> list[str]:
    """Asks all that schemathesis thinks of, and gives what it found wrong, once each."""
    found: dict[tuple[str, ...], str] = {}
    asked = 0
    for event in from_schema(_schema(app, document, mode, statuses)).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.checks)
            for one in _failures(event.recorder):
                found.setdefault(one[:-1], "\n".join(one))
    assert asked > 100, "it asked next to nothing"
    return list(found.values())


def _failures(recorder: ScenarioRecorder) -> Iterator[tuple[str, ...]]:
    for name, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case, answer = recorder.cases[name].value, recorder.interactions[name].response
                said = answer.text[:600] if answer is not None else "nothing"
                problem = re.sub('"request_id":"[0-9a-f]+"|[0-9]+', "", said)
                failure = check.failure_info.failure
                yield (
                    case.operation.label,
                    check.name,
                    problem,
                    f"{failure.message}\n{said}\n{case.as_curl_command()}",
                )


def _schema(
    app: LeanAPI, document: Schema, mode: str, statuses: dict[str, list[str]]
) -> schemathesis.BaseSchema:
    config = SchemathesisConfig.from_dict(
        {
            "seed": 5,
            "workers": 1,
            "continue-on-failure": True,
            # narrowed, an id of one index is none of a table: what follows from answers falls apart
            "phases": {"stateful": {"enabled": mode == "all"}},
            "checks": {name: {"expected-statuses": these} for name, these in statuses.items()},
            "generation": {
                "mode": mode,
                "max-examples": EXAMPLES,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "cache": {"enabled": False},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    schema.hook("map_body")(_with_integers)
    return schema


def _with_integers(context: Any, body: Any) -> Any:
    """JSON schema takes 1.0 for an integer, the server does not: only the positive runs need it."""
    if isinstance(body, dict):
        return {name: _with_integers(context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [_with_integers(context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


def test_all_that_the_document_allows_or_forbids(shop: LeanAPI) -> None:
    document = named(shop.openapi(), ["items", "similar"], TABLES)
    found = run(shop, document, "all", {**REFUSED, **TOO_MUCH})
    assert not found, "\n\n".join(found)


def test_all_that_fits_the_shop_is_answered(shop: LeanAPI) -> None:
    found = run(shop, narrowed(shop.openapi(), DIM, TABLES), "positive", {})
    assert not found, "\n\n".join(found)


def test_items_with_semantic_ids(tmp_path: Path) -> None:
    table = make_table(TableConfig.of("article", 4, row_map=semantic()))
    table.train_lookup(ITEMS)
    write_snapshot(tmp_path, {"article": table})
    app = create_app(Settings(snapshot=tmp_path))
    document = named(app.openapi(), ["none"], ["article"])
    for path in [path for path in document["paths"] if "/tables" not in path]:
        del document["paths"][path]
    found = run(app, document, "all", {**REFUSED, **TOO_MUCH})
    assert not found, "\n\n".join(found)
