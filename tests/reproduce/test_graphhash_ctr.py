"""Which tables graphhash-ctr gives its cases, and what it claims of figures that are known."""

from pathlib import Path

import pytest

from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import Collisionless
from training.learned.graphhash import LearnedDoubleGraphHash
from training.reproduce.experiment import Outcome, Row
from training.reproduce.experiments import load
from training.reproduce.graphhash_ctr import GraphHashCtr

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "papers" / "graphhash-ctr.toml"


def test_users_and_items_share_rows_and_contexts_do_not() -> None:
    experiment = load("graphhash-ctr", CONFIG)
    assert isinstance(experiment, GraphHashCtr)
    tables = experiment.config_of("deepfm double-graphhash", seed=2).tables
    user, item = tables["user"].row_map, tables["item"].row_map
    assert isinstance(user, LearnedDoubleGraphHash) and isinstance(item, LearnedDoubleGraphHash)
    assert (user.rows, user.by, user.seed) == (125, "item", 2)
    assert (item.rows, item.by, item.seed) == (125, "user", 2)
    assert tables["weather"].row_map == Collisionless()
    full = experiment.config_of("dlrm full", seed=2)
    assert {table.row_map for table in full.tables.values()} == {Collisionless()}
    assert full.model.kind == "dlrm"
    assert [case.split()[0] for case in experiment.quick().cases] == ["dlrm"] * 7


def test_claims_are_differences_over_models(tmp_path: Path) -> None:
    experiment = GraphHashCtr({}, {"a": {}, "b": {}}, maps=("graphhash", "double-graphhash"))
    figures = {
        "double-frequency": (0.8, 0.5),
        "graphhash": (0.9, 0.4),
        "double-graphhash": (0.7, 0.6),
    }
    rows = {
        f"{model} {name}": Row(f"{model} {name}", [Outcome({"auc": a, "log_loss": b}, 1, 1)], {})
        for model in "ab"
        for name, (a, b) in figures.items()
    }
    claims = experiment.claims(rows)
    assert [claim.obtained for claim in claims] == pytest.approx([0.1, -0.1, -0.1, 0.1])
    assert [claim.is_met for claim in claims] == [True, True, False, False]
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000


def test_maps_and_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="no map 'hash'"):
        GraphHashCtr({}, maps=("hash",))
    with pytest.raises(ConfigError, match="rows are of"):
        GraphHashCtr({}, rows={"user": 1})
