"""A server of one's own answers with the trained rows, and is gone afterwards."""

from pathlib import Path

import numpy as np
import pytest

from recsys_embed import hash_string
from recsys_embed.errors import RecsysEmbedError
from recsys_embed.nn import tables_of
from tests.training.making import config_of, planted_log
from training.served import Served
from training.train import train


def test_the_answer_is_the_trained_row_bit_for_bit(tmp_path: Path) -> None:
    planted_log(tmp_path / "log.parquet", events=1000)
    result = train(config_of(tmp_path / "log.parquet", train={"epochs": 1}), tmp_path / "run")
    with Served("--snapshot", result.snapshot) as served:
        answer = served.lookup("user", ["user-7", "nobody"])
        rate = served.throughput("item", [1, 2, 3], batch=10, seconds=0.05)
    trained = tables_of(result.model)["user"].lookup([hash_string("user-7"), hash_string("nobody")])
    assert answer["status"] == ["found", "missing"]
    np.testing.assert_array_equal(np.array(answer["vectors"], np.float32), trained)
    np.testing.assert_allclose(rate.vectors_per_s, 10 * rate.requests_per_s)
    with pytest.raises(OSError, match="refused"):
        served.lookup("user", ["user-7"])


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RecsysEmbedError, match=r"did not start; it said: recsys-serve: .*nothing"):
        Served("--snapshot", tmp_path / "nothing").__enter__()
