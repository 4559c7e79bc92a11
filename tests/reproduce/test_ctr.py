"""Cases of a run: what each changes, what it costs, and that seeds reach everything random."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from tests.training.making import planted_log
from training.reproduce.ctr import Clicks, merged

VALUES = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
TABLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@dataclass(frozen=True)
class Planted(Clicks):
    kind: ClassVar[str] = "planted"
    summary: ClassVar[str] = "planted weights"


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Any]:
    planted_log(tmp_path / "log.parquet", events=3000)
    return {
        "data": {"kind": "log", "path": str(tmp_path / "log.parquet")},
        "events": {"label": "label", "time": "time"},
        "split": {"kind": "random", "validation": 0.1, "test": 0.2},
        "features": {"user": {}, "item": {}},
        "table": {"dim": 8, "lr": 0.3},
        "model": {"kind": "dnn", "hidden": [16]},
        "train": {"batch_size": 100, "lr": 0.01, "threads": 1},
    }


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "hashed": {
        "features": {"item": "-"},
        "tables": {"user": {"row_map": {"kind": "hashed", "rows": 10}}},
    },
    "frequency": {"tables": {"user": {"row_map": {"kind": "frequency", "rows": 20}}}},
}


@given(TABLES, TABLES)
def test_changes_win_and_other_values_stay(old: dict[str, Any], new: dict[str, Any]) -> None:
    both = merged(old, new)
    assert set(both) == set(old) | set(new)
    for key in both:
        if key not in new:
            assert both[key] == old[key]
        elif isinstance(new[key], dict) and isinstance(old.get(key), dict):
            assert both[key] == merged(old[key], new[key])
        else:
            assert both[key] == new[key]


def test_a_table_with_a_kind_replaces_and_a_dash_removes() -> None:
    old = {"model": {"kind": "dnn", "hidden": [1]}, "x": {"y": 1}}
    assert merged(old, {"model": {"kind": "dcn"}, "x": "-"}) == {"model": {"kind": "dcn"}}


def test_seeds_reach_the_run_the_row_maps_and_what_is_named(base: dict[str, Any]) -> None:
    experiment = Planted(base, VARIANTS, seeded=("split.seed",))
    config = experiment.config_of("hashed", 7)
    assert config.seed == 7 and config.split.seed == 7  # type: ignore[union-attr]
    assert config.tables["user"].row_map.seed == 7  # type: ignore[union-attr]
    assert list(config.features) == ["user"] and config.name == "planted"


def test_what_maps_were_taught_is_counted(base: dict[str, Any]) -> None:
    experiment = Planted(base, VARIANTS)
    full, hashed, frequency = (experiment.run(case, 1) for case in VARIANTS)
    assert (full.rows, full.parameters) == (150, 150 * 8)
    assert (hashed.rows, hashed.parameters) == (10, 80)
    assert (frequency.rows, frequency.parameters) == (70, 70 * 8 + 10 * 3)
    assert full.metrics["auc"] > hashed.metrics["auc"]
    assert full == experiment.run("full", 1) != experiment.run("full", 2)


def test_quick_changes_what_it_says(base: dict[str, Any]) -> None:
    experiment = Planted(base, VARIANTS, quickly={"train": {"epochs": 3}}).quick()
    assert experiment.config_of("full", 1).train.epochs == 3
    assert experiment.config_of("full", 1).train.batch_size == 100


def test_a_case_that_is_no_run_is_refused(base: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="planted.train has no key 'epoch'"):
        Planted(base, {"x": {"train": {"epoch": 2}}}).run("x", 1)
