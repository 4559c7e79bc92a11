"""Content vectors as dense columns: whose they are, and that bags give their mean."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_embed import ConfigError, InputError
from recsys_embed.semantic_ids.content import TextVectors
from tests.training.making import config_of
from training.config import RunConfig
from training.train import read, train

TEXTS = ("red paint", "red brush", "iron nail", "iron screw", "red paint", "iron unheard")


def config(path: Path, contents: dict[str, Any], new: str = TEXTS[5], **changes: Any) -> RunConfig:
    """300 events of items 0-4, whose label says whether they are red; item 5 in test alone."""
    rng = np.random.default_rng(0)
    item = rng.integers(0, 5, 300)
    item[-40:] = 5
    texts = [*TEXTS[:5], new]
    pl.DataFrame(
        {
            "user": rng.integers(0, 9, 300),
            "item": item,
            "text": [texts[i] for i in item],
            "time": np.arange(300),
            "label": [int("red" in texts[i]) for i in item],
        }
    ).write_parquet(path)
    values = {
        "events": {"history": {"recent": {"of": "item", "by": "user", "last": 3}}},
        "features": {"user": {}, "item": {}},
        "dense": {"columns": ["time"]},
        "contents": contents,
        "train": {"epochs": 1, "batch_size": 50},
    }
    return config_of(path, **(values | changes))


def test_each_bag_gives_the_mean_of_its_items(tmp_path: Path) -> None:
    asked = {"text": "text", "bags": ["item", "recent"], "dim": 3}
    events, _ = read(config(tmp_path / "log.parquet", asked))
    assert events.dense.shape == (300, 1 + 6) and events.dense.dtype == np.float32
    own, recent = events.dense[:, 1:4], events.dense[:, 4:]
    items = events.bags["item"].values
    for item in range(5):
        assert np.ptp(own[items == item], axis=0).max() < 1e-5
    assert np.linalg.norm(own, axis=1) == pytest.approx(np.sqrt(3), rel=1e-5)
    np.testing.assert_allclose(own[items == 0][0], own[items == 4][0], atol=1e-6)
    vector_of = {item: own[items == item][0] for item in range(6)}
    bags = events.bags["recent"]
    for event in (0, 5, 100, 299):
        before = bags.values[bags.positions(np.array([event]))[0]]
        mean = np.mean([vector_of[i] for i in before] or [np.zeros(3)], axis=0)
        np.testing.assert_allclose(recent[event], mean, atol=1e-5)


def test_words_are_of_the_train_part(tmp_path: Path) -> None:
    new = "iron red unheard"
    events, _ = read(config(tmp_path / "log.parquet", {"text": "text", "dim": 2}, new))
    own = events.dense[:, 1:][events.bags["item"].values == 5][0]
    expected = TextVectors.fit(TEXTS[:5], dim=2)([new])[0] * np.sqrt(2)
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_a_model_reads_them_without_a_table_of_items(tmp_path: Path) -> None:
    run = config(
        tmp_path / "log.parquet",
        {"text": "text", "dim": 3},
        dense={"columns": []},
        train={"epochs": 8, "batch_size": 25, "lr": 0.03},
    )
    run = replace(
        run,
        features={"user": run.features["user"]},
        tables={"user": run.tables["user"]},
    )
    assert run.num_dense == 3 and run.texts == ["text"]
    result = train(run, tmp_path / "run")
    assert list(result.tables) == ["user"] and result.test.auc == 1.0  # item 5 is iron, and new


@pytest.mark.parametrize(
    ("contents", "error", "message"),
    [
        ({"text": "text", "bags": []}, ConfigError, "need a bag"),
        ({"text": "text", "dim": 0}, ConfigError, "dim >= 1"),
        ({"text": "txt"}, InputError, "text asks for column 'txt'"),
        ({"text": "text", "bags": ["itme"]}, InputError, "'time' or 'item'"),
        ({"text": "text", "bags": ["recent"]}, InputError, "several ids an event"),
        ({"text": "text", "dim": 64}, InputError, "asked for 64"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, contents: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(config(tmp_path / "log.parquet", contents))
