"""The whole of graphhash-gowalla on planted blocks, where clusters are everything."""

from pathlib import Path

import numpy as np
import pytest

from recsys_embed.errors import ConfigError
from tests.retrieval.making import planted
from training.reproduce.equal_rows import MAPS
from training.reproduce.experiment import Row
from training.reproduce.graphhash_gowalla import Chosen, GraphHashGowalla
from training.retrieval.fit import Fit


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> GraphHashGowalla:
    folder = tmp_path_factory.mktemp("pairs")
    interactions = planted(users=20, items=30)
    for name, pairs in (("train", interactions.train), ("test", interactions.test)):
        own = [pairs.items[pairs.users == user] for user in range(interactions.num_users)]
        text = "\n".join(" ".join(map(str, [u, *line])) for u, line in enumerate(own))
        (folder / f"{name}.txt").write_text(text)
    fits = {n: Fit(batch_size=256, epochs=6, k=20) for n in ("mf", "lightgcn")}
    chosen = {f"{model} {name}": Chosen(0.05, 0.0) for model in fits for name in MAPS}
    chosen["mf graphhash random"] = Chosen(0.05, 0.0)
    return GraphHashGowalla(str(folder), fits, chosen, resolution=1.0, dim=8, threads=1)


def test_every_case_runs_and_clusters_win(experiment: GraphHashGowalla, tmp_path: Path) -> None:
    rows = {case: Row(case, [experiment.run(case, seed=1)], {}) for case in experiment.cases}
    full = rows["mf full"]
    assert full.rows == 80 + 120 and full.parameters == 200 * 8
    assert {row.rows for case, row in rows.items() if not case.endswith("full")} == {8}
    # 12 bytes for each id that a map knows
    assert rows["mf graphhash"].parameters == 8 * 8 + 3 * 200
    assert rows["mf modulo"].parameters == rows["mf double"].parameters == 64
    # a cluster's items are alike: 20 places for the test items among the 30 of which some are seen
    assert rows["mf graphhash"].mean("recall") == pytest.approx(1.0)
    assert rows["mf graphhash"].mean("recall") > 2 * rows["mf double"].mean("recall")
    assert all(claim.is_met for claim in experiment.claims(rows) if "saved" in claim.text)
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000


def test_equal_seeds_give_equal_figures(experiment: GraphHashGowalla) -> None:
    first, again, other = (experiment.run("lightgcn double", seed) for seed in (1, 1, 2))
    assert first == again and first != other
    assert not np.isnan(list(first.metrics.values())).any()


def test_cases_there_are_not_are_refused() -> None:
    with pytest.raises(ConfigError, match="is no case"):
        GraphHashGowalla("x", {"mf": Fit()}, {"mf hash": Chosen(0.1, 0.0)})
    with pytest.raises(ConfigError, match="is no case"):
        GraphHashGowalla("x", {"mf": Fit()}, {"mf full randomly": Chosen(0.1, 0.0)})
    with pytest.raises(ConfigError, match=r"needs \[fits.lightgcn\]"):
        GraphHashGowalla("x", {"mf": Fit()}, {"lightgcn full": Chosen(0.1, 0.0)})
