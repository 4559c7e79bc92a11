"""Whole runs on planted logs: they learn what can be learned, alike for any number of threads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys_embed import InputError, hash_strings, initial_values
from recsys_embed.snapshot import open_snapshot
from tests.training.making import config_of, planted_log
from training.metrics import auc
from training.report import Result
from training.train import read, train

MODELS: dict[str, dict[str, Any]] = {
    "dnn": {"kind": "dnn", "hidden": [16]},
    "dlrm": {"kind": "dlrm", "bottom": [8], "top": [16]},
    "dcn": {"kind": "dcn", "hidden": [16]},
    "deepfm": {"kind": "deepfm", "hidden": [16]},
    "wide_deep": {"kind": "wide_deep", "hidden": [16]},
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    path = tmp_path_factory.mktemp("planted") / "log.parquet"
    return path, planted_log(path)


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_comes_close_to_the_best_possible_auc(
    kind: str, planted: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, true_logits = planted
    config = config_of(path, model=MODELS[kind])
    events, parts = read(config)
    best = auc(true_logits[parts.test], events.labels[parts.test])
    result = train(config, tmp_path / "run")
    # a weight is learned from some hundred events; without learning the AUC is 0.5, the best is 0.9
    assert 0.85 < best and best - 0.03 < result.test.auc < best + 0.005
    # the planted chances are those of the model, so its predictions must not be biased
    np.testing.assert_allclose(result.test.calibration, 1.0, atol=0.1)


def rows_of(snapshot: Path) -> dict[str, dict[str, bytes]]:
    opened = open_snapshot(snapshot)
    rows = {}
    for name, table in opened.tables.items():
        with table.restore().cut() as cut:
            rows[name] = {
                int(id_): weights.tobytes() + state.tobytes() + bytes([count % 256])
                for block in cut.blocks()
                for id_, weights, state, count in zip(
                    block.ids, block.weights, block.state, block.count, strict=True
                )
            }
    dense = {name: array.tobytes() for name, array in opened.dense.items()}
    return rows | {"dense": dense}  # type: ignore[dict-item]


@pytest.mark.parametrize("kind", ["dcn", "deepfm"])
def test_one_and_two_threads_train_the_same_bits(
    kind: str, planted: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    # layers and batches so large that a matrix product would be shared among threads
    model = {"kind": kind, "hidden": [256, 256]}
    options = {"epochs": 1, "batch_size": 4000}
    features = {"tags": {"threshold": 2}}
    one, two = (
        train(
            config_of(planted[0], model=model, features=features, train={**options, "threads": n}),
            tmp_path / str(n),
        )
        for n in (1, 2)
    )
    assert rows_of(one.snapshot) == rows_of(two.snapshot)
    assert one.test == two.test and one.records == two.records


def test_weights_of_a_bag_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    indices, values = rng.integers(0, 20, 4000), rng.choice([-1, 1], 4000)
    labels = (rng.normal(0, 3, 20)[indices] * values > 0).astype(int)
    for name, part in (("train", slice(0, 3000)), ("test", slice(3000, None))):
        lines = zip(labels[part], indices[part], values[part], strict=True)
        (tmp_path / name).write_text("".join(f"{y} {i}:{v}\n" for y, i, v in lines))
    config = config_of(
        tmp_path,
        data={"kind": "libfm", "paths": [str(tmp_path / "train"), str(tmp_path / "test")]},
        events={"label": "label", "time": "part"},
        split={"kind": "column", "train": 0, "validation": 2, "test": 1},
        features={
            "user": {"columns": ["indices"], "weights": "values"},
            "item": {"columns": ["part"]},
        },
        dense={"columns": []},
        table={"dim": 8, "lr": 0.3, "pooling": "sum"},
    )
    # the sign of the weight decides: without weights the AUC would be one half
    assert train(config, tmp_path / "run").test.auc > 0.95


def test_another_seed_trains_other_bits(planted: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    first, second = (
        train(config_of(planted[0], seed=seed, train={"epochs": 1}), tmp_path / str(seed))
        for seed in (1, 2)
    )
    assert rows_of(first.snapshot) != rows_of(second.snapshot)


def test_swapping_the_row_map_is_one_line(planted: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    crowded = config_of(planted[0], table={"row_map": {"kind": "hashed", "rows": 8}})
    hashed = train(crowded, tmp_path / "hashed")
    collisionless = train(config_of(planted[0]), tmp_path / "collisionless")
    assert hashed.tables["user"].rows == 8 and collisionless.tables["user"].rows == 100
    # 100 users in 8 rows: their weights are averaged away
    assert hashed.test.auc < collisionless.test.auc - 0.05


def test_ids_below_the_threshold_never_get_a_row(
    planted: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    config = config_of(planted[0], features={"user": {"threshold": 10**6}}, train={"epochs": 1})
    result = train(config, tmp_path / "run")
    assert result.tables["user"].rows == 0 and result.tables["user"].filtered == result.examples
    assert result.tables["item"].rows == 50


def test_rows_expire_by_event_time(tmp_path: Path) -> None:
    planted_log(tmp_path / "log.parquet")  # an event a minute; a user has one about every 100
    features = {"user": {"ttl_days": 100 / 1440}}
    options = {"epochs": 1, "expire_every": 1}
    config = config_of(tmp_path / "log.parquet", features=features, train=options)
    result = train(config, tmp_path / "run")
    events, parts = read(config)
    assert events.times is not None
    # A batch of 100 is one moment, that of its last event; each user was last seen in some batch.
    last_seen = {
        user: int(events.times[min(100 * (i // 100) + 99, len(parts.train) - 1)])
        for i, user in zip(parts.train, events.frame["user"], strict=False)
    }
    now = max(last_seen.values())
    alive = {user for user, seen in last_seen.items() if now - seen < 100 * 60}
    found = (
        open_snapshot(result.snapshot).tables["user"].lookup(hash_strings(sorted(last_seen))).found
    )
    assert {
        user for user, is_there in zip(sorted(last_seen), found, strict=True) if is_there
    } == alive
    # those who came back after their time were admitted anew
    stats = result.tables["user"]
    assert 0 < len(alive) < 100 < stats.admitted == stats.expired + len(alive)
    # and nobody stayed longer: there are 100 users and 50 items
    assert max(record["rows"] for record in result.records) < 150


def test_the_best_state_is_kept_and_tested(
    planted: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    # so high a rate overfits at once
    config = config_of(
        planted[0], table={"lr": 3.0}, train={"epochs": 20, "patience": 2, "order": "shuffled"}
    )
    result = train(config, tmp_path / "run")
    seen = [r for r in result.records if r["part"] == "validation"]
    best = max(seen, key=lambda r: r["auc"])
    assert result.validation.auc == best["auc"] > seen[-1]["auc"]
    assert result.best_step == best["step"] and len(seen) == seen.index(best) + 3 < 20


def test_a_run_leaves_what_it_promises(planted: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    result: Result = train(config_of(planted[0]), tmp_path / "run")
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert lines == list(result.records) and {line["part"] for line in lines} == {
        "train",
        "validation",
    }
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["test"]["auc"] == result.test.auc and summary["tables"]["user"]["rows"] == 100
    assert (tmp_path / "run" / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="already holds a run"):
        train(config_of(planted[0]), tmp_path / "run")


def test_the_first_predictions_are_made_before_training(
    planted: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    config = config_of(
        planted[0], train={"epochs": 1, "window": 1, "missing": "initial"}, model=MODELS["dlrm"]
    )
    first = train(config, tmp_path / "run").records[0]
    assert first["examples"] == 100
    # untrained odds are close to even, so the loss is close to log 2
    np.testing.assert_allclose(first["log_loss"], np.log(2), atol=0.1)


def test_untrained_rows_are_the_initial_values_of_the_library(tmp_path: Path) -> None:
    planted_log(tmp_path / "log.parquet", events=300)
    config = config_of(tmp_path / "log.parquet", table={"lr": 1e-30}, train={"epochs": 1})
    table = open_snapshot(train(config, tmp_path / "run").snapshot).tables["item"]
    np.testing.assert_array_equal(
        table.lookup(np.arange(50)).values, initial_values(table.config, np.arange(50))
    )


def test_a_log_without_a_train_part_is_refused(tmp_path: Path) -> None:
    planted_log(tmp_path / "log.parquet", events=10)
    config = config_of(tmp_path / "log.parquet", events={"where": "price > 2"})
    with pytest.raises(InputError, match="train part of 0 events is empty"):
        train(config, tmp_path / "run")
