"""Every reproduction has a config in configs/papers/ that it accepts, and figures to compare."""

from pathlib import Path

import pytest

from training.reproduce.ctr import Clicks
from training.reproduce.experiments import class_of, load, names

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "papers"


@pytest.mark.parametrize("name", names())
def test_the_config_is_accepted(name: str) -> None:
    experiment = load(name, CONFIGS / f"{name}.toml")
    assert experiment.kind == name and experiment.summary == class_of(name).summary
    assert len(experiment.cases) == len(set(experiment.cases)) > 1
    assert set(experiment.published) <= set(experiment.cases)
    assert all(set(figures) <= set(experiment.metrics) for figures in experiment.published.values())
    assert list(experiment.quick().metrics) == list(experiment.metrics)


@pytest.mark.parametrize("name", names())
def test_every_case_is_a_run(name: str) -> None:
    experiment = load(name, CONFIGS / f"{name}.toml")
    if isinstance(experiment, Clicks):
        configs = [experiment.config_of(case, seed=3) for case in experiment.cases]
        assert {config.seed for config in configs} == {3}


def test_every_config_is_a_reproduction() -> None:
    assert {path.stem for path in CONFIGS.glob("*.toml")} == set(names())
