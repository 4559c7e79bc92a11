"""Configs: what a file says, what an assignment changes, and what is refused in which words."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys_embed import FTRL, Adam, ConfigError, Hashed
from recsys_embed.config import from_dict, to_dict
from tests.training.making import config_of
from training.config import load_config
from training.models import DCN
from training.online.config import load_online
from training.retrieval.towers.config import load_retrieval

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = """
name = "small"
[data]
kind = "log"
path = "log.parquet"
[events]
label = "label"
time = "time"
[features]
user = {}
item = {table = "things", threshold = 3, ttl_days = 0.5}
recent = {columns = ["item"], table = "things"}
[table]
dim = 4
optimizer = "adam"
[tables.things]
dim = 8
row_map = {kind = "hashed", rows = 10}
[model]
kind = "dcn"
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path / "small.toml"


def test_every_table_starts_from_the_defaults_and_says_what_differs(small: Path) -> None:
    config = load_config(small)
    assert (config.tables["user"].dim, config.tables["things"].dim) == (4, 8)
    assert config.tables["things"].optimizer == config.tables["user"].optimizer == Adam()
    assert config.tables["things"].row_map == Hashed(rows=10)
    assert config.features_of == {"user": ["user"], "things": ["item", "recent"]}
    assert config.features["item"].ttl_s == 43_200


def test_an_assignment_replaces_one_value(small: Path) -> None:
    config = load_config(
        small,
        [
            "seed=7",
            "model.cross_layers=1",
            "train.lr = 0.5",
            "tables.user.wide_optimizer=ftrl",
            'table.row_map={kind="hashed", rows=5}',
            "events.where=price > 1",
        ],
    )
    assert (config.seed, config.model, config.train.lr) == (7, DCN(cross_layers=1), 0.5)
    assert config.tables["user"].wide_optimizer == FTRL()
    assert config.tables["user"].row_map == Hashed(rows=5) and config.events.where == "price > 1"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.learning_rate=1", r"small.toml.train has no key 'learning_rate'"),
        ("train.epoch=1", r"has no key 'epoch'; did you mean 'epochs'"),
        ("tabels.user.dim=1", r"small.toml has no key 'tabels'; did you mean 'tables'"),
        ("tables.user.dims=1", r"tables.user has no key 'dims'; did you mean 'dim'"),
        ("tables.usr.dim=1", r"no feature uses \[tables.usr\]; did you mean 'user'"),
        ("model.kind=dnc", r"has no kind 'dnc'; did you mean .*'dcn'"),
        (
            "data.kind=csv",
            r"has no kind 'csv'; .*known: criteo, frappe, libfm, log, movielens-100k",
        ),
        ("split.kind=tme", r"has no kind 'tme'; did you mean 'time'"),
        ("train.batch_size=0", "train.batch_size must be above 0, got 0"),
        ("train.patience=-1", "train.patience must not be negative, got -1"),
        ("train.order=random", "must be one of 'time', 'shuffled'"),
        ("train.batch_size=many", "must be a int, got 'many'"),
        ("train.epochs=2", r"features \['item'\] expire by event time"),
        ("train.order=shuffled", r"features \['item'\] expire by event time"),
        ("tables.user.dim=0", "choose deepfm or wide_deep, or a dim"),
        ("table.lr=0", "lr > 0"),
        ("features={}", "at least one feature"),
        ("features=3", "features must be a table of features"),
        ("name=a/b", "usable as a folder's name"),
        ("seed=-1", "seed must not be negative"),
        ("features.item.ttl_days=0", "ttl_days must be above 0"),
        ("seed", "--set expects section.key=value, got 'seed'"),
        ("name.x=1", "'name' is a value, not a section"),
    ],
)
def test_what_cannot_be_is_refused_by_name(small: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(small, [assignment])


def test_a_file_that_is_no_toml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a config at .*nowhere.toml"):
        load_config(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ConfigError, match=r"expected TOML in .*bad.toml"):
        load_config(tmp_path / "bad.toml")


LOADERS: dict[str, Callable[[Path], Any]] = {"source": load_online, "baskets": load_retrieval}
RUNS = sorted(p for p in CONFIGS.rglob("*.toml") if p.parent.name != "papers")


@pytest.mark.parametrize("path", RUNS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_shipped_config_loads_and_survives_a_round_trip(path: Path) -> None:
    values = tomllib.loads(path.read_text())
    load = next((load for section, load in LOADERS.items() if section in values), load_config)
    config = load(path)
    assert from_dict(type(config), to_dict(config)) == config


@pytest.mark.parametrize("command", ["online", "retrieval"])
def test_a_run_of_another_kind_is_told_how_to_be_run(command: str) -> None:
    path = CONFIGS / "online-retail" / f"{command}.toml"
    with pytest.raises(ConfigError, match=f"of another kind; say recsys-train {command} .*toml"):
        load_config(path)


def test_there_are_shipped_configs() -> None:
    assert {p.parent.name for p in CONFIGS.rglob("*.toml")} >= {
        "online-retail",
        "movielens-100k",
        "frappe",
        "criteo-10k",
    }


@pytest.mark.parametrize("change", [{"train": {"epochs": 1}}, {"model": {"kind": "wide_deep"}}])
def test_equal_configs_are_equal_objects(change: dict[str, Any]) -> None:
    assert (
        config_of(Path("x"), **change)
        == config_of(Path("x"), **change)
        != config_of(Path("y"), **change)
    )
