"""GraphHash for click-through prediction: four models over seven row maps of equal rows, Frappe.

Wu et al., GraphHash, arXiv 2412.17245, §5. Users and apps share rows, contexts keep a row a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from matplotlib.figure import Figure

from recsys_embed.errors import ConfigError
from training.reproduce.ctr import Clicks, merged
from training.reproduce.drawing import bars_by_group
from training.reproduce.experiment import Claim, Rows

FULL = "full"
KINDS = {
    "hashed": "hashed",
    "double": "bloom",
    "frequency": "frequency",
    "double-frequency": "double_frequency",
    "graphhash": "graphhash",
    "double-graphhash": "double_graphhash",
}
OURS, THEIRS = ("graphhash", "double-graphhash"), "double-frequency"


@dataclass(frozen=True)
class GraphHashCtr(Clicks):
    """Configures the reproduction; `variants` are the models.

    Args:
        rows: of each feature that shares them.
        by: for each of these, the feature that says which of its ids are alike.
        maps: that are compared.
    """

    kind: ClassVar[str] = "graphhash-ctr"
    summary: ClassVar[str] = (
        "DLRM, DCN-v2, DeepFM, Wide & Deep over clustered and hashed rows, Frappe"
    )
    rows: Mapping[str, int] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)
    maps: tuple[str, ...] = (FULL, *KINDS)

    def __post_init__(self) -> None:
        for name in self.maps:
            if name not in (FULL, *KINDS):
                raise ConfigError(f"there is no map {name!r}; they are {FULL}, {', '.join(KINDS)}")
        if set(self.rows) != set(self.by):
            raise ConfigError(f"rows are of {sorted(self.rows)}, but by of {sorted(self.by)}")

    @property
    def cases(self) -> Sequence[str]:
        """Every map under every model."""
        return [f"{model} {name}" for model in self.variants for name in self.maps]

    def changes(self, case: str) -> Mapping[str, Any]:
        """Gives the model, and the row maps of the features that share rows."""
        model, name = case.split()
        tables = {feature: self._table(name, feature) for feature in self.rows}
        return merged(self.variants[model], {"tables": {} if name == FULL else tables})

    def quick(self) -> Self:
        """Takes the first model and what `quickly` says."""
        first = dict(list(self.variants.items())[:1])
        return replace(super().quick(), variants=first)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares GraphHash with double-frequency hashing, over all models."""
        return [
            Claim(
                f"{self.metrics[metric]} of {ours} less that of {THEIRS}, mean over the models",
                self._difference(rows, ours, metric),
                least=0.0 if metric == "auc" else -float("inf"),
                most=0.0 if metric == "log_loss" else float("inf"),
            )
            for ours in OURS
            for metric in self.metrics
        ]

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws AUC and log loss, cut where the lowest bar begins to differ."""
        figure = Figure(figsize=(12, 5), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2), self.metrics, strict=True):
            bars_by_group(axes, rows, metric, self.metrics[metric])
            means = [row.mean(metric) for row in rows.values()]
            axes.set_xlim(0.95 * min(means), 1.02 * max(means))
        figure.savefig(path, dpi=120)

    def _table(self, name: str, feature: str) -> Mapping[str, Any]:
        row_map = {"kind": KINDS.get(name, ""), "rows": self.rows[feature]}
        clustered = {"by": self.by[feature]} if name in OURS else {}
        return {"row_map": {**row_map, **clustered}}

    def _difference(self, rows: Rows, ours: str, metric: str) -> float:
        both = [(rows[f"{m} {ours}"], rows[f"{m} {THEIRS}"]) for m in self.variants]
        return float(np.mean([a.mean(metric) - b.mean(metric) for a, b in both]))
