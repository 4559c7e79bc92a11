"""Retrieval on Gowalla: models and losses by which all items are ranked, beside BARS' figures.

NGCF's split. The epoch is chosen on a tenth of each user's train pairs; then the model is trained
anew on all of them for as many epochs, and the test part is read once.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from training.reproduce.drawing import beside_published, by_metric
from training.reproduce.experiment import Claim, Outcome, Rows
from training.reproduce.pairs import read_parts
from training.reproduce.retrieval_cases import Case, model_of
from training.retrieval.evaluation import Evaluation, evaluate
from training.retrieval.fit import Fit, fit, fit_for
from training.retrieval.graph_filter import Filter, GraphFilter
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs
from training.retrieval.objectives import ByUser
from training.retrieval.ranking import best_items

BEST, TWO_TOWER, LIGHTGCN, MINUTES = 0.1872, 0.1754, 0.181, 45
SEGMENTS = ("head", "torso", "tail")
WHY = "chosen on pairs drawn from train, which lie nearer to it than the test part does"


@dataclass(frozen=True)
class RetrievalGowalla:
    """Configures the reproduction.

    Args:
        path: folder with train.txt and test.txt.
        fit: when the validation part is asked and training stops; the rest is the case's.
        trained: what each case trains.
        filtered: cases that train nothing, and what they filter by; chosen on the validation part.
        published: figures by case.
        validation: share of each user's train pairs.
        dim: of vectors before any propagation.
        threads: of torch.
        users: the first so many users alone, and items with five pairs of theirs; 0: everything.
    """

    kind: ClassVar[str] = "retrieval-gowalla"
    summary: ClassVar[str] = "two towers, LightGCN, NGCF and MF ranking all items, Gowalla"
    metrics: ClassVar[Mapping[str, str]] = {
        "recall": "Recall@20",
        "ndcg": "NDCG@20",
        "hit_rate": "hit rate",
        **{f"recall_{name}": name for name in SEGMENTS},
        "coverage": "coverage",
        "popularity_bias": "popularity",
        "gini": "Gini",
        "cpu_minutes": "CPU min",
    }
    path: str
    fit: Fit
    trained: Mapping[str, Case]
    filtered: Mapping[str, Filter] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    validation: float = 0.1
    dim: int = 64
    threads: int = 2
    users: int = 0

    @property
    def cases(self) -> Sequence[str]:
        """Those of the config."""
        return [*self.trained, *self.filtered]

    def run(self, case: str, seed: int) -> Outcome:
        """Lets the validation part choose the epoch, trains anew with it, and tests once."""
        torch.set_num_threads(self.threads)
        return self._filter(case, seed) if case in self.filtered else self._train(case, seed)

    def _filter(self, case: str, seed: int) -> Outcome:
        began, config = time.process_time(), self.filtered[case]
        parts = read_parts(self.path, self.validation, self.users)
        validated = _judged(GraphFilter(parts, config, seed), parts, parts.validation, self.fit.k)
        whole = replace(parts, train=parts.known, validation=NO_PAIRS)
        graph = GraphFilter(whole, config, seed)
        found = _judged(graph, whole, whole.test, self.fit.k)
        minutes = (time.process_time() - began) / 60
        return Outcome(
            {**_figures(found), "cpu_minutes": minutes},
            0,
            graph.num_parameters,
            {"validation_recall": validated.all.recall, "validation_ndcg": validated.all.ndcg},
        )

    def _train(self, case: str, seed: int) -> Outcome:
        began, trained = time.process_time(), self.trained[case]
        parts = read_parts(self.path, self.validation, self.users)
        config = replace(
            self.fit, lr=trained.lr, weight_decay=trained.weight_decay, epochs=trained.epochs
        )
        model = model_of(trained, parts, self.dim, seed)
        fitted = fit(model, parts, config, seed, objective=trained.objective)
        whole = replace(parts, train=parts.known, validation=NO_PAIRS)
        model = model_of(trained, whole, self.dim, seed)
        fit_for(model, whole, config, fitted.epoch, seed, trained.objective)
        minutes = (time.process_time() - began) / 60
        rows = parts.num_users + parts.num_items
        return Outcome(
            {**_figures(_tested(model, whole, config.k)), "cpu_minutes": minutes},
            rows,
            rows * self.dim,
            {
                "epoch": fitted.epoch,
                "validation_recall": fitted.validation.recall,
                "validation_ndcg": fitted.validation.ndcg,
            },
        )

    def quick(self) -> Self:
        """Takes a tenth of the users and few epochs."""
        few = {name: replace(_small(case), epochs=2) for name, case in self.trained.items()}
        small = {name: replace(one, frequencies=32) for name, one in self.filtered.items()}
        fit = replace(self.fit, eval_every=1)
        return replace(self, users=3000, trained=few, filtered=small, fit=fit)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares the case that validated best, the two towers and LightGCN with the targets."""
        if not rows:
            return []
        best = max(rows.values(), key=lambda row: row.outcomes[0].chosen["validation_recall"])
        claims = [
            Claim(
                f"{best.case}, best on validation: Recall@20", best.mean("recall"), BEST, why=WHY
            ),
            Claim(f"{best.case}: CPU minutes", best.mean("cpu_minutes"), most=MINUTES),
        ]
        for prefix, least in (("two-tower", TWO_TOWER), ("lightgcn", LIGHTGCN)):
            own = [row for case, row in rows.items() if case.startswith(prefix)]
            claims += [Claim(f"{r.case}: Recall@20", r.mean("recall"), least, why=WHY) for r in own]
        return claims

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws Recall@20 beside what was published, and by segments of the items."""
        figure = Figure(figsize=(12, 5), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        beside_published(left, rows, "recall", self.metrics["recall"])
        by_metric(right, rows, {f"recall_{name}": name for name in SEGMENTS}, "Recall@20 of items")
        figure.savefig(path, dpi=120)


def _judged(graph: GraphFilter, parts: Interactions, relevant: Pairs, k: int) -> Evaluation:
    users = np.unique(relevant.users)
    best = graph.best_items(users, k)
    return evaluate(best, users, relevant, parts.train.items, parts.num_items)


def _tested(model: nn.Module, interactions: Interactions, k: int) -> Evaluation:
    users = np.unique(interactions.test.users)
    best = best_items(model.vectors(), interactions.train, users, k)
    shown = interactions.train.items
    return evaluate(best, users, interactions.test, shown, interactions.num_items)


def _figures(found: Evaluation) -> Mapping[str, float]:
    return {
        "recall": found.all.recall,
        "ndcg": found.all.ndcg,
        "hit_rate": found.all.hit_rate,
        **{f"recall_{name}": found.segments[name].recall for name in SEGMENTS},
        "coverage": found.coverage,
        "popularity_bias": found.popularity_bias,
        "gini": found.gini,
    }


def _small(case: Case) -> Case:
    if not isinstance(case.objective, ByUser):
        return case
    return replace(case, objective=replace(case.objective, users=256))
