"""Reproductions that predict clicks: one run's config, and what each case changes in it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from recsys_embed import CollisionlessTable
from recsys_embed.row_maps.budget import floats
from training.config import RunConfig, from_values
from training.events import Events
from training.report import Result
from training.reproduce.experiment import Claim, Outcome, Rows
from training.splits import Parts
from training.train import read, train

UNSEEDED = ("collisionless", "file")


@dataclass(frozen=True)
class Clicks:
    """Trains one config after another; a reproduction adds what it claims.

    Args:
        base: values of a `RunConfig`; `name` may be left out.
        variants: what each case changes in them, table by table; a value `"-"` takes a key away.
        seeded: dotted keys that get the seed, besides `seed` and those of row maps.
        quickly: what --quick changes.
        published: figures by case.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    metrics: ClassVar[Mapping[str, str]] = {"auc": "AUC", "log_loss": "log loss"}
    base: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seeded: tuple[str, ...] = ()
    quickly: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def cases(self) -> Sequence[str]:
        """The variants."""
        return list(self.variants)

    def config_of(self, case: str, seed: int) -> RunConfig:
        """Gives a case's config.

        Raises:
            ConfigError: for values that a `RunConfig` refuses.
        """
        values = merged({"name": self.kind, **self.base}, self.changes(case))
        values = merged(values, {"seed": seed, "train": {"checkpoint_every": 0}})
        for path in self.seeded:
            values = merged(values, nested(path, seed))
        return from_values(seeded_row_maps(values, seed), self.kind)

    def changes(self, case: str) -> Mapping[str, Any]:
        """Says what a case changes."""
        return self.variants[case]

    def run(self, case: str, seed: int) -> Outcome:
        """Trains; patience, where the config has it, stops on the validation part."""
        config = self.config_of(case, seed)
        features = {name: replace(f, table=None) for name, f in config.features.items()}
        what = (config.data, config.events, features, config.dense, config.contents)
        data = read_once(repr((*what, config.texts, config.split)), config)
        with tempfile.TemporaryDirectory() as folder:
            result = train(config, Path(folder), data=data)
        rows, parameters = self.counted(result, data, config)
        chosen = {"step": float(result.best_step), "validation_auc": result.validation.auc}
        return Outcome(self.measured(result, data, config), rows, parameters, chosen)

    def measured(
        self, result: Result, data: tuple[Events, Parts], config: RunConfig
    ) -> Mapping[str, float]:
        """Gives the figures of the test part."""
        return {"auc": result.test.auc, "log_loss": result.test.log_loss}

    def counted(
        self, result: Result, data: tuple[Events, Parts], config: RunConfig
    ) -> tuple[int, int]:
        """Gives rows and parameters."""
        return sizes(result.model.collection.tables)

    def quick(self) -> Self:
        """Changes what `quickly` says."""
        return replace(self, base=merged(self.base, self.quickly))

    def claims(self, rows: Rows) -> Sequence[Claim]:
        """Claims nothing."""
        return []

    def draw(self, rows: Rows, path: Path) -> None:
        """Draws nothing."""


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the values with the changes in them, tables merged, keys of "-" taken away.

    A table that says its `kind` replaces the one there.

    Example:
        >>> merged({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": "-", "z": 4}})
        {'a': {'y': 2, 'z': 4}, 'b': 3}
    """
    new = dict(values)
    for key, change in changes.items():
        old = new.get(key)
        if change == "-":
            new.pop(key, None)
        elif isinstance(change, Mapping) and isinstance(old, Mapping) and "kind" not in change:
            new[key] = merged(old, change)
        else:
            new[key] = change
    return new


def nested(path: str, value: Any) -> dict[str, Any]:
    """Gives the tables in which a dotted key has this value.

    Example:
        >>> nested("split.seed", 3)
        {'split': {'seed': 3}}
    """
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


def seeded_row_maps(values: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Gives each row map the seed, so that who shares rows is drawn anew."""
    new = dict(values)
    for key in ("table", "tables"):
        if key in new:
            tables = {"": new[key]} if key == "table" else new[key]
            done = {name: _seeded(table, seed) for name, table in tables.items()}
            new[key] = done[""] if key == "table" else done
    return new


def sizes(tables: Mapping[str, CollisionlessTable]) -> tuple[int, int]:
    """Gives all tables' rows and numbers of four bytes, what maps were taught included."""
    rows = parameters = 0
    for table in tables.values():
        row_map = table.config.row_map
        rows += row_map.num_rows or len(table)
        parameters += floats(row_map, table.config.dim, held=len(table)).total
    return rows, parameters


def _seeded(table: Mapping[str, Any], seed: int) -> Mapping[str, Any]:
    row_map = table.get("row_map")
    if not isinstance(row_map, Mapping) or row_map["kind"] in UNSEEDED:
        return table
    return {**table, "row_map": {**row_map, "seed": seed}}


_kept: dict[str, tuple[Events, Parts]] = {}


def read_once(key: str, config: RunConfig) -> tuple[Events, Parts]:
    """Reads events and parts, unless those of the last call had the same key."""
    if key not in _kept:
        _kept.clear()
        _kept[key] = read(config)
    return _kept[key]
