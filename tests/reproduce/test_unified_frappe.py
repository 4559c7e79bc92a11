"""The whole of unified-frappe on a generated log: every map trains, and is charged."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_embed.errors import ConfigError
from training.reproduce.equal_floats import SIZES
from training.reproduce.experiment import Outcome, Row
from training.reproduce.unified_frappe import UnifiedFrappe

FEATURES = ("user", "item", "country", "city")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("frappe") / "log.parquet"
    rng = np.random.default_rng(1)
    columns = {name: rng.integers(0, SIZES[name], 3000) for name in FEATURES}
    likes = rng.normal(size=(7, 11))[columns["user"] % 7, columns["item"] % 11]
    app = [f"name{i % 11} by maker{i % 5}" for i in columns["item"]]
    pl.DataFrame({**columns, "app": app, "label": likes > 0}).write_parquet(path)
    return {
        "data": {"kind": "log", "path": str(path)},
        "events": {"label": "label"},
        "split": {"kind": "random", "validation": 0.1, "test": 0.2},
        "features": {name: {} for name in FEATURES},
        "table": {"dim": 10, "optimizer": "adam", "lr": 0.02},
        "model": {"kind": "dnn", "hidden": [8]},
        "train": {"batch_size": 500, "epochs": 1, "threads": 1},
    }


def test_maps_of_each_kind_run_and_show_what_they_cost(
    base: dict[str, Any], tmp_path: Path
) -> None:
    maps = ("frequency", "quotient-remainder", "hash-embedding", "multiplexed-5", "semantic-id")
    experiment = UnifiedFrappe(base, shares=(0.1,), maps=(*maps, "graphhash"))
    rows = {case: Row(case, [experiment.run(case, 1)], {}) for case in experiment.cases}
    assert len(rows) == 7
    for name in maps[:4]:
        assert 4900 <= rows[f"10% {name}"].parameters <= 5082  # less the contexts' exact rows
    assert rows["10% graphhash"].parameters > 3 * (569 + 1600)
    assert np.isfinite([row.mean("auc") for row in rows.values()]).all()
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000


def test_what_was_chosen_for_a_share_goes_to_its_cases(base: dict[str, Any]) -> None:
    experiment = UnifiedFrappe(base, {"10%": {"table": {"lr": 0.5}}})
    assert experiment.config_of("10% hashed", 1).tables["item"].lr == 0.5
    assert experiment.config_of("50% hashed", 1).tables["item"].lr == 0.02


def test_the_gain_is_claimed_of_means(base: dict[str, Any]) -> None:
    def row(case: str, auc: float) -> Row:
        return Row(case, [Outcome({"auc": auc + e}, 1, 1) for e in (-0.01, 0.01)], {})

    rows = {c: row(c, a) for c, a in (("10% hashed", 0.90), ("10% multiplexed-2", 0.93))}
    (claim,) = UnifiedFrappe(base).claims(rows)
    assert claim.obtained == pytest.approx(0.03) and not claim.is_met


def test_quotients_are_no_case_at_two_percent_and_unknown_maps_none(base: dict[str, Any]) -> None:
    cases = UnifiedFrappe(base).cases
    assert "10% quotient-remainder" in cases and "2% quotient-remainder" not in cases
    with pytest.raises(ConfigError, match="no map 'hash'"):
        UnifiedFrappe(base, maps=("hash",))
