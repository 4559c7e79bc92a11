"""The tables of both towers as one module, whose inputs are pooled one by one."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from recsys_embed import Segment, TableConfig
from recsys_embed.errors import ConfigError
from recsys_embed.nn.bags import Bags
from recsys_embed.nn.fused import PooledStep
from recsys_embed.nn.module import TableModule
from recsys_embed.retrieval.description import Ids
from recsys_embed.retrieval.inputs import Bag
from recsys_embed.table_group import Member
from recsys_embed.tables_in_turn import make_group
from training.learned.from_file import RowMapFile
from training.retrieval.towers.config import TableFrom
from training.retrieval.towers.inputs import IdsFrom, Inputs

FIRST = np.zeros(1, np.int64)


class TowerTables(TableModule):
    """Holds the tables of two towers; an input's vectors are pooled as serving will pool them.

    Both towers may read one table. In training mode ids are counted, admitted and refreshed, and
    backward takes the optimizer's step; else nothing changes.

    Args:
        inputs: of each tower, by feature; features of one name and table are one.
        tables: by name; what all start from where a name is not there.
        missing: what an id without a row reads as.
        seed: of the initial values.

    Raises:
        ConfigError: for inputs of one name and table that differ in their rules.
    """

    def __init__(
        self,
        inputs: Sequence[Inputs],
        tables: Mapping[str, TableFrom],
        missing: str,
        seed: int,
    ) -> None:
        configs = table_configs(inputs, tables, seed)
        rates = {c.name: tables.get(c.name, TableFrom()).lr for c in configs}
        super().__init__(configs, lr=rates, missing=missing)
        self._groups: dict[Ids, object] = {}

    def pooled(self, one: Ids, bag: Bag) -> Tensor:
        """Pools B bags of an input's ids to (B, D)."""
        if one not in self._groups:
            member = Member(self._tables[one.table], (one.of,), one.pooling)
            self._groups[one] = make_group([member])
        bags = Bags(bag.values, bag.offsets, None)
        step = PooledStep(self, self._groups[one], bags, FIRST, len(bag.offsets) - 1)  # type: ignore[arg-type]  # of one of the two kinds
        return self._run(step, torch.device("cpu"))

    def width(self, one: Ids) -> int:
        """Says how many columns an input's vectors have."""
        return self._tables[one.table].config.vector_dim(one.of)

    def _tables_changed(self) -> None:
        self._groups = {}


def table_configs(
    inputs: Sequence[Inputs], tables: Mapping[str, TableFrom], seed: int
) -> list[TableConfig]:
    """Describes each table that the inputs read, with all their rules."""
    rules: dict[str, dict[str, IdsFrom]] = {}
    for feature, one in ((f, one) for of_tower in inputs for f, one in of_tower.items()):
        if isinstance(one, IdsFrom):
            known = rules.setdefault(one.table or feature, {}).setdefault(feature, one)
            if known.rule(feature) != one.rule(feature):
                raise ConfigError(
                    f"both towers have an input {feature!r}, with different thresholds or times"
                    " to live in one table; give them alike, or name another table"
                )
    return [_config(name, of, tables.get(name, TableFrom()), seed) for name, of in rules.items()]


def _config(name: str, inputs: Mapping[str, IdsFrom], table: TableFrom, seed: int) -> TableConfig:
    row_map = table.row_map.read() if isinstance(table.row_map, RowMapFile) else table.row_map
    chunks = row_map.chunks("")
    if table.dim % chunks:
        raise ConfigError(
            f"a {row_map.kind} row map puts {chunks} chunks side by side, so that dim of table"
            f" {name!r} must be a multiple of {chunks}, got {table.dim}"
        )
    return TableConfig(
        name,
        (Segment(table.dim // chunks, table.optimizer, table.initializer),),
        tuple(one.rule(feature) for feature, one in inputs.items()),
        admission=table.admission,
        budget=table.budget,
        row_map=row_map,
        seed=seed,
        sweep_rows=0,  # expired rows go between steps, all at once
    )
