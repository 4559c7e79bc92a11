"""The server says what it holds, and counts what it does."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from recsys_embed.config import from_dict
from recsys_embed.table_config import TableConfig
from serving.app import create_app
from serving.settings import Settings
from tests.serving.asking import RAW, Asker
from tests.serving.planted import ABSENT, MAX_BODY_BYTES, MAX_IDS, Planted

ITEM = "/v1/tables/item/lookup"
LOOKUP = "/v1/tables/{table}/lookup"


def test_tables_are_listed_with_dimension_and_rows(asker: Asker) -> None:
    listed = asker.get("/v1/tables").json
    described = [(t["name"], t["dim"], t["rows"]) for t in listed["tables"]]
    assert described == [("item", 8, 200), ("user", 3, 3)]
    assert asker.get("/v1/tables/user").json == {
        **listed["tables"][1],
        "snapshot_version": listed["snapshot_version"],
    }


def test_a_table_tells_the_configuration_it_was_trained_with(
    asker: Asker, planted: Planted
) -> None:
    config = asker.get("/v1/tables/item").json["config"]
    assert from_dict(TableConfig, config) == planted.tables["item"].config


def test_an_unknown_table_is_not_described(asker: Asker) -> None:
    assert asker.get("/v1/tables/none").json["code"] == "unknown_table"


def test_info_tells_limits_and_formats(asker: Asker) -> None:
    info = asker.get("/v1/info").json
    assert (info["max_ids"], info["max_body_bytes"]) == (MAX_IDS, MAX_BODY_BYTES)
    assert info["tables"] == ["item", "user"]
    assert RAW in info["formats"]


def test_a_loaded_server_is_alive_and_ready(asker: Asker) -> None:
    assert asker.get("/livez").json == {"status": "alive"}
    ready = asker.get("/readyz")
    assert ready.json["snapshot_version"] == ready.headers["x-snapshot-version"]


@pytest.fixture
def samples(settings: Settings) -> dict[tuple[str, ...], float]:
    """Metrics of a new server after four known requests, by name and sorted label values."""
    asker = Asker(create_app(settings))
    asker.post(ITEM, {"ids": [0, 1, ABSENT]})
    asker.post(ITEM, {"ids": [0]}, accept=RAW)
    asker.post(ITEM, {})
    asker.get("/nowhere")
    text = asker.get("/metrics").body.decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(samples: dict[tuple[str, ...], float]) -> None:
    assert samples["recsys_request_total", LOOKUP, "200"] == 2
    assert samples["recsys_request_total", LOOKUP, "422"] == 1
    assert samples["recsys_request_total", "none", "404"] == 1
    assert samples["recsys_request_seconds_count", LOOKUP] == 3
    assert samples["recsys_inflight",] == 1, "the scrape itself"


def test_ids_are_counted_by_table_and_status(samples: dict[tuple[str, ...], float]) -> None:
    assert samples["recsys_lookup_status_total", "found", "item"] == 3
    assert samples["recsys_lookup_status_total", "missing", "item"] == 1
    assert samples["recsys_lookup_ids_sum",] == 4
    assert samples["recsys_lookup_ids_bucket", "1.0"] == 1
    assert samples["recsys_store_read_seconds_count", "snapshot"] == 2


def test_the_snapshot_in_service_is_told(
    samples: dict[tuple[str, ...], float], asker: Asker
) -> None:
    version = asker.get("/readyz").json["snapshot_version"]
    assert samples["recsys_active_version", "item", version] == 1
    assert samples["recsys_table_rows", "item"] == 200
    assert 0 <= samples["recsys_embedding_age_seconds",] < 3600
