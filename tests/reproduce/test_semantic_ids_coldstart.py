"""The whole of semantic-ids-coldstart on a log where words decide, and new items have them too."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from training.reproduce.semantic_ids_coldstart import SemanticIdsColdstart

KINDS = ("red blue green pink", "iron steel brass zinc", "oak pine ash elm", "salt flour sugar tea")


def planted(folder: Path) -> str:
    """2,000 events: user u likes what has a word of kind u % 4; a fifth of the 80 items is new."""
    rng = np.random.default_rng(0)
    words = [kind.split() for kind in KINDS]
    texts = [" ".join(rng.choice(words[item % 4], 3, replace=False)) for item in range(80)]
    user, item = rng.integers(0, 40, 2000), rng.integers(0, 80, 2000)
    part = np.array(["train"] * 1500 + ["validation"] * 100 + ["test"] * 400)
    kept = (item % 5 > 0) | (part == "test")
    frame = pl.DataFrame(
        {
            "user": user,
            "item": item,
            "text": [texts[i] for i in item],
            "time": np.arange(2000),
            "label": (user % 4 == item % 4).astype(int),
            "part": part,
        }
    )
    frame.filter(pl.Series(kept)).write_parquet(folder / "log.parquet")
    return str(folder / "log.parquet")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> SemanticIdsColdstart:
    recent = {"of": "item", "by": "user", "last": 5, "only": "label"}
    base = {
        "data": {"kind": "log", "path": planted(tmp_path_factory.mktemp("log"))},
        "events": {"label": "label", "time": "time", "history": {"recent": recent}},
        "features": {"user": {}, "item": {}, "recent": {"table": "item"}},
        "split": {"kind": "column"},
        "table": {"dim": 8, "lr": 0.2, "pooling": "mean"},
        "model": {"kind": "dcn", "hidden": [16]},
        "train": {"batch_size": 100, "lr": 0.01, "threads": 1, "epochs": 6, "order": "shuffled"},
    }
    contents = {"text": "text", "bags": ["item", "recent"], "dim": 8}
    variants: dict[str, Any] = {
        "full": {"tables": {"item": {"row_map": {"kind": "collisionless"}}}},
        "hashed": {"tables": {"item": {"row_map": {"kind": "hashed"}}}},
        "content": {"features": {"item": "-", "recent": "-"}, "contents": contents},
    }
    semantic = {"kind": "semantic_id", "levels": 2, "codes": 4, "dim": 8}
    for name, tokens in (("unigram", "unigram"), ("bigram", "ngram"), ("pieces", "pieces")):
        row_map = {**semantic, "tokens": tokens}
        variants[name] = {"tables": {"item": {"row_map": row_map}}}
    quickly = {"planted": {"train": {"batch_size": 200}}}
    sets: dict[str, Any] = {"planted": {"train": {"lr": 0.02}}}
    return SemanticIdsColdstart(base, variants, (), quickly, {}, sets, {"planted": 16})


def test_semantic_ids_know_new_items(experiment: SemanticIdsColdstart) -> None:
    found = {case.split()[1]: experiment.run(case, 1) for case in experiment.cases}
    unseen = {method: outcome.metrics["unseen"] for method, outcome in found.items()}
    assert min(unseen[method] for method in ("unigram", "bigram", "pieces", "content")) > 0.9
    assert max(unseen["full"], unseen["hashed"]) < 0.7
    assert found["full"].metrics["torso"] > 0.9
    assert {method: outcome.rows for method, outcome in found.items()} == {
        "full": 64,
        "hashed": 16,
        "content": 0,
        "unigram": 16,
        "bigram": 16,
        "pieces": 16,
    }
    assert found["hashed"].parameters == 16 * 8 and found["content"].parameters == 80 * 8
    taught = 80 * (2 + 2) + 2 * 4 * 8  # ids and codes, codebooks
    assert found["unigram"].parameters == 16 * 8 + taught


def test_a_case_is_a_set_a_method_and_what_was_chosen(experiment: SemanticIdsColdstart) -> None:
    config = experiment.config_of("planted bigram", 3)
    assert config.train.lr == 0.02 and config.seed == 3
    row_map: Any = config.tables["item"].row_map
    assert (row_map.rows, row_map.text, row_map.seed, row_map.tokens) == (16, "text", 3, "ngram")
    quick = experiment.quick().config_of("planted content", 1)
    assert (quick.train.epochs, quick.train.batch_size, quick.train.lr) == (1, 200, 0.02)
    assert list(quick.features) == list(quick.tables) == ["user"]
