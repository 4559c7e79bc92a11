from pathlib import Path

import pytest

from tests.retrieval_towers.making import config, write_log
from tests.retrieval_towers.trained import Trained, train_towers
from training.retrieval.towers.config import RetrievalConfig


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="session")
def colours(log: Path) -> RetrievalConfig:
    return config(log)


@pytest.fixture(scope="session")
def trained(colours: RetrievalConfig) -> Trained:
    return train_towers(colours)
