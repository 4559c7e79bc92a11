"""The whole of retrieval-gowalla on planted blocks, where everything can be found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.errors import ConfigError
from tests.retrieval.making import planted
from training.reproduce import retrieval_gowalla
from training.reproduce.experiment import Row
from training.reproduce.experiments import load
from training.reproduce.retrieval_gowalla import RetrievalGowalla
from training.retrieval.interactions import Interactions, Pairs
from training.retrieval.losses import CosineContrastive
from training.retrieval.objectives import Triples

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "papers" / "retrieval-gowalla.toml"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> RetrievalGowalla:
    folder = tmp_path_factory.mktemp("pairs")
    interactions = planted(users=20, items=30)
    for name, pairs in (("train", interactions.train), ("test", interactions.test)):
        own = [pairs.items[pairs.users == user] for user in range(interactions.num_users)]
        text = "\n".join(" ".join(map(str, [u, *line])) for u, line in enumerate(own))
        (folder / f"{name}.txt").write_text(text)
    whole = load("retrieval-gowalla", CONFIG).quick()
    assert isinstance(whole, RetrievalGowalla)
    gentle = CosineContrastive(margin=0.2, negative_weight=5.0)  # these are easily told apart
    trained = {}
    for name, case in whole.trained.items():
        objective = case.objective
        if isinstance(objective, Triples):
            objective = replace(objective, batch_size=256)
        else:
            loss = gentle if name.endswith("ccl") else objective.loss
            objective = replace(objective, loss=loss, users=16, negatives=24)
        trained[name] = replace(case, epochs=20, lr=0.05, objective=objective)
    return replace(whole, path=str(folder), users=0, trained=trained, dim=8, threads=1)


def test_every_case_runs_and_finds_the_blocks(experiment: RetrievalGowalla, tmp_path: Path) -> None:
    rows = {case: Row(case, [experiment.run(case, seed=1)], {}) for case in experiment.cases}
    for case, row in rows.items():
        assert list(row.outcomes[0].metrics) == list(experiment.metrics)
        if case in experiment.trained:
            assert row.rows == 200 and row.parameters == 200 * 8
        # 20 places for two test items among the 30 of a block, 28 of which are seen
        assert row.mean("recall") > 0.95 and row.mean("hit_rate") > 0.95
        assert row.mean("popularity_bias") == pytest.approx(1.0, abs=0.2)
    experiment.draw(rows, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 1000
    claims = [claim.text for claim in experiment.claims(rows)]
    best = max(rows, key=lambda case: rows[case].outcomes[0].chosen["validation_recall"])
    assert claims[0] == f"{best}, best on validation: Recall@20"
    assert all(any(text.startswith(case) for text in claims) for case in rows if "gcn" in case[:8])
    assert experiment.claims({}) == []


def test_equal_seeds_give_equal_figures(experiment: RetrievalGowalla) -> None:
    outcomes = [experiment.run("ngcf softmax", seed) for seed in (1, 1, 2)]
    first, again, other = (
        {name: value for name, value in o.metrics.items() if name != "cpu_minutes"}
        for o in outcomes
    )
    assert first == again and outcomes[0].chosen == outcomes[1].chosen
    assert outcomes[0].chosen != outcomes[2].chosen or first != other


def test_the_test_part_decides_nothing_and_validation_pairs_are_learned(
    experiment: RetrievalGowalla, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = retrieval_gowalla.read_parts

    def without_test(path: str, validation: float, users: int) -> Interactions:
        parts = real(path, validation, users)
        return replace(parts, test=Pairs(np.array([0]), np.array([0])))

    def heard(model, interactions, *rest):
        learned.append(interactions)
        return fit_for(model, interactions, *rest)

    learned: list[Interactions] = []
    fit_for = retrieval_gowalla.fit_for
    monkeypatch.setattr(retrieval_gowalla, "fit_for", heard)
    first = experiment.run("two-tower softmax", seed=1)
    monkeypatch.setattr(retrieval_gowalla, "read_parts", without_test)
    assert experiment.run("two-tower softmax", seed=1).chosen == first.chosen
    parts = real(experiment.path, experiment.validation, 0)
    assert len(parts.validation.users) and not len(learned[0].validation.users)
    number = len(parts.train.users) + len(parts.validation.users)
    assert len(learned[0].train.users) == number


def test_a_case_that_cannot_be_is_refused() -> None:
    for wrong in ("trained.x.base=tree", "trained.x.objective=by-users", "trained.x.graph=gcn"):
        with pytest.raises(ConfigError, match="x"):
            load("retrieval-gowalla", CONFIG, [wrong])
