"""Semantic IDs for new items: click models on three logs over rows by contents and rows by hashing.

Singh et al., arXiv 2306.08121; Zheng et al., arXiv 2504.02137. Their logs are private, so this is
their question and not their numbers: the AUC by how often training has shown the item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from training.batches import batches
from training.config import RunConfig
from training.events import Events
from training.learned import TrainingLog
from training.metrics import auc
from training.report import Result
from training.reproduce.coldstart_claims import claims_of
from training.reproduce.coldstart_picture import draw_segments
from training.reproduce.ctr import Clicks, merged, sizes
from training.reproduce.experiment import Claim, Rows
from training.segments import segments
from training.splits import Parts
from training.step import predict

ITEM, TEXT = "item", "text"
BATCH = 4096


@dataclass(frozen=True)
class SemanticIdsColdstart(Clicks):
    """Configures the reproduction; variants are the methods, a case is "SET METHOD".

    Args:
        sets: what each data set changes in the base.
        rows: of the items' table, by data set.
        chosen: what the validation part chose for a case, changes as well.
        quickly: what --quick changes, by data set.
    """

    kind: ClassVar[str] = "semantic-ids-coldstart"
    summary: ClassVar[str] = "rows by contents or by hashing: AUC by how often an item was seen"
    metrics: ClassVar[Mapping[str, str]] = {
        "unseen": "AUC, never seen",
        "auc": "all",
        "head": "head",
        "torso": "torso",
        "tail": "tail",
    }
    sets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    chosen: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def cases(self) -> Sequence[str]:
        """Every method on every data set."""
        return [f"{name} {method}" for name in self.sets for method in self.variants]

    def changes(self, case: str) -> Mapping[str, Any]:
        """Puts together what the data set, the method and the validation part say."""
        name, method = case.split()
        values = merged(self.sets[name], self.variants[method])
        values = merged(values, self._table(name, self.variants[method]))
        return merged(values, self.chosen.get(case, {}))

    def measured(
        self, result: Result, data: tuple[Events, Parts], config: RunConfig
    ) -> Mapping[str, float]:
        """Gives the AUC of the test part, and of each segment of its items."""
        events, parts = data
        log = TrainingLog(events, parts.train, config.features_of)
        items = events.bags[ITEM].values[events.bags[ITEM].positions(parts.test)[0]]
        logits = predict(result.model, batches(events, parts.test, BATCH, result.model.features))
        labels = events.labels[parts.test]
        own = segments(items, log.ids(ITEM)[1])
        of_segments = {name: auc(logits[mask], labels[mask]) for name, mask in own.items()}
        return {"auc": auc(logits, labels), **of_segments}

    def counted(
        self, result: Result, data: tuple[Events, Parts], config: RunConfig
    ) -> tuple[int, int]:
        """Gives rows and numbers that represent items; those of users are the same everywhere."""
        if config.contents:
            return 0, len(np.unique(data[0].bags[ITEM].values)) * config.contents.dim
        return sizes({ITEM: result.model.collection.tables[ITEM]})

    def quick(self) -> Self:
        """Takes a part of each data set and one epoch."""
        once = {"train": {"epochs": 1}}
        changes = {name: merged(once, self.quickly.get(name, {})) for name in self.sets}
        return replace(self, sets={n: merged(s, changes[n]) for n, s in self.sets.items()})

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Compares the semantic IDs that validated best with hashed ids, then what papers claim."""
        return claims_of(rows, list(self.sets))

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws the AUC of each segment, a panel a data set."""
        draw_segments(rows, list(self.sets), list(self.metrics.items()), path)

    def _table(self, name: str, variant: Mapping[str, Any]) -> Mapping[str, Any]:
        row_map = dict(variant.get("tables", {}).get(ITEM, {}).get("row_map", {}))
        if not row_map:
            return {}
        if row_map["kind"] != "collisionless":
            row_map.setdefault("rows", self.rows[name])
        if row_map["kind"] == "semantic_id":
            row_map["text"] = TEXT
        return {"tables": {ITEM: {"row_map": row_map}}}
