"""A snapshot of two small tables, and a client that asks it."""

import numpy as np
import pytest

from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.snapshot import write_snapshot
from serving.app import create_app
from serving.settings import Settings
from tests.serving.asking import Asker
from tests.serving.planted import ITEM_IDS, MAX_BODY_BYTES, MAX_IDS, USER_IDS, Planted, vectors_of


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Tables "item" (8 dimensions, 200 rows) and "user" (3), in a snapshot of two shards."""
    tables, rows = {}, {}
    for name, dim, ids in (("item", 8, ITEM_IDS), ("user", 3, USER_IDS)):
        table = CollisionlessTable(TableConfig.of(name, dim))
        values = vectors_of(len(ids), dim)
        table.assign(np.array(ids, np.int64), values)
        tables[name], rows[name] = table, dict(zip(ids, values, strict=True))
    root = tmp_path_factory.mktemp("snapshots")
    return Planted(root, write_snapshot(root, tables, shards=2), tables, rows)


@pytest.fixture(scope="session")
def settings(planted: Planted) -> Settings:
    return Settings(snapshot=planted.root, max_ids=MAX_IDS, max_body_bytes=MAX_BODY_BYTES)


@pytest.fixture(scope="session")
def asker(settings: Settings) -> Asker:
    """Asks the whole application in this process."""
    return Asker(create_app(settings))
