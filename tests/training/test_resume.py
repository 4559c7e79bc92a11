"""A run that was stopped and resumed ends with the same bits as one that never stopped."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from recsys_embed import ConfigError, SnapshotNotFoundError
from tests.training.making import config_of, planted_log
from tests.training.test_train import rows_of
from training.config import RunConfig
from training.interruption import Interrupted
from training.reporting import Silent
from training.train import train

FEATURES = {"user": {"threshold": 3}, "item": {}, "tags": {"threshold": 2}}
ONCE_IN_ORDER: dict[str, Any] = {
    "features": {**FEATURES, "user": {"threshold": 3, "ttl_days": 0.05}},
    "train": {"epochs": 1, "expire_every": 7, "window": 9, "eval_every": 30},
    "model": {"kind": "deepfm", "hidden": [8], "dropout": 0.3},
}
SHUFFLED: dict[str, Any] = {
    "features": FEATURES,
    "train": {"epochs": 3, "order": "shuffled", "patience": 1, "window": 9, "eval_every": 30},
    "table": {"lr": 2.0, "optimizer": "adam", "admission": {"kind": "sketch", "width": 64}},
    "model": {"kind": "dcn", "hidden": [8], "dropout": 0.3},
}


class StopsItself(Silent):
    """Sends this process a signal when so many examples are done."""

    def __init__(self, examples: int, number: int) -> None:
        self.examples, self.number = examples, number

    def advance(self, examples: int) -> None:
        if examples >= self.examples:
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "log.parquet"
    planted_log(path, events=6000)
    return path


def interrupted(config: RunConfig, output: Path, examples: int, **options: Any) -> int:
    with pytest.raises(Interrupted) as caught:
        train(config, output, reporter=StopsItself(examples, signal.SIGTERM), **options)
    return caught.value.signal_number


@pytest.mark.parametrize("changes", [ONCE_IN_ORDER, SHUFFLED], ids=["once-in-order", "shuffled"])
def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(
    changes: dict[str, Any], log: Path, tmp_path: Path
) -> None:
    config = config_of(log, **changes)
    whole = train(config, tmp_path / "whole")
    for examples in (300, 2300, 4200):  # the last is the end of an epoch
        assert (
            interrupted(config, tmp_path / "pieces", examples, resume=examples > 300)
            == signal.SIGTERM
        )
    pieces = train(config, tmp_path / "pieces", resume=True)
    assert rows_of(pieces.snapshot) == rows_of(whole.snapshot)
    assert (pieces.validation, pieces.test, pieces.records) == (
        whole.validation,
        whole.test,
        whole.records,
    )
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "pieces")]
    assert metrics[0] == metrics[1]
    counts = [
        json.loads((tmp_path / name / "summary.json").read_text())["tables"]
        for name in ("whole", "pieces")
    ]
    for table in counts[0]:
        for key in ("rows", "admitted", "filtered", "expired", "dropped_gradients"):
            assert counts[0][table][key] == counts[1][table][key], (table, key)


def test_a_crash_loses_what_came_after_the_last_checkpoint_and_nothing_else(
    log: Path, tmp_path: Path
) -> None:
    class Crashes(Silent):
        def advance(self, examples: int) -> None:
            if examples >= 2500:
                raise RuntimeError("power cut")

    config = config_of(
        log, **ONCE_IN_ORDER | {"train": {**ONCE_IN_ORDER["train"], "checkpoint_every": 10}}
    )
    with pytest.raises(RuntimeError, match="power cut"):
        train(config, tmp_path / "crashed", reporter=Crashes())
    resumed = train(config, tmp_path / "crashed", resume=True)
    whole = train(config, tmp_path / "whole")
    assert rows_of(resumed.snapshot) == rows_of(whole.snapshot) and resumed.records == whole.records


def test_more_epochs_may_be_asked_for_and_nothing_else_may_change(
    log: Path, tmp_path: Path
) -> None:
    train_section = {"epochs": 1, "order": "shuffled"}
    interrupted(config_of(log, train=train_section), tmp_path / "run", 500)
    with pytest.raises(
        ConfigError, match=r"other values of seed, train\.lr; resume with the same config"
    ):
        train(
            config_of(log, train={**train_section, "lr": 0.02}, seed=9),
            tmp_path / "run",
            resume=True,
        )
    longer = config_of(log, train={**train_section, "epochs": 2})
    resumed = train(longer, tmp_path / "run", resume=True)
    assert resumed.test == train(longer, tmp_path / "whole").test


def test_there_must_be_something_to_resume(log: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFoundError):
        train(config_of(log), tmp_path / "run", resume=True)


def test_signal_handlers_are_as_before_afterwards(log: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupted(config_of(log), tmp_path / "run", 100)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    train(config_of(log), tmp_path / "run", resume=True)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
