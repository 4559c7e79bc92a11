"""A log of sales as baskets in the order of time, and the catalogue of what was sold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from recsys_embed.hashing import hash_strings
from recsys_embed.index.attributes import Kind
from recsys_embed.retrieval.inputs import Bag
from training.events import evaluated, seconds
from training.features import column_of

HISTORY, USER = "history", "user id"
KINDS: Mapping[Any, Kind] = {pl.String: "str", pl.Boolean: "bool"}


@dataclass(frozen=True)
class BasketsConfig:
    """Says what of a log is a basket; expressions are SQL over the columns of the reader.

    Args:
        user: column of who buys; an integer, or a string.
        item: column of an item's name; its id is the name's hash.
        time: seconds since the epoch, or a date-time. Lines of one user and moment are a basket.
        where: keeps the lines for which it is true; it comes first.
        derive: new columns, each from those before it.
        history: items of earlier baskets that are remembered, as column "history".
    """

    user: str
    item: str
    time: str
    where: str | None = None
    derive: Mapping[str, str] = field(default_factory=dict)
    history: int = 50


@dataclass(frozen=True)
class AttributeFrom:
    """Takes an attribute of an item from the lines that sold it.

    Args:
        column: of the log; "time" is that of the line in seconds.
        of: which line: "first", "last", or all "distinct" values, which are tags.
    """

    column: str
    of: Literal["first", "last", "distinct"] = "last"


class Catalogue(NamedTuple):
    """I items in the order of their first sale.

    Args:
        names: of the items.
        ids: int64 (I,), the names' hashes.
        first: int64 (I,), seconds of the first sale.
        lines: columns of the line that sold it first, what a new item comes with.
        sales: all lines in the order of time, "name" and "time" among their columns.
        asked: which attributes items have.
    """

    names: list[str]
    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    lines: pl.DataFrame
    sales: pl.DataFrame
    asked: Mapping[str, AttributeFrom]

    @property
    def kinds(self) -> dict[str, Kind]:
        """Gives the attributes' kinds."""
        found = self._attributes(self.sales[:0])
        return {name: _kind(found[name], name) for name in self.asked}

    def attributes(
        self, number: int | None = None, until: int | None = None
    ) -> dict[str, list[Any]]:
        """Gives by attribute a value an item, as known at a moment.

        Args:
            number: of items, the first ones; all if None.
            until: seconds; sales from then on are not looked at; None: all are.
        """
        sales = self.sales if until is None else self.sales.filter(pl.col("time") < until)
        found = self._attributes(sales)[:number]
        return {name: found[name].to_list() for name in self.asked}

    def _attributes(self, sales: pl.DataFrame) -> pl.DataFrame:
        wanted = {name: _aggregate(sales, name, one) for name, one in self.asked.items()}
        numbered = sales.with_columns(pl.col("name").alias("_item"))
        return numbered.group_by("_item", maintain_order=True).agg(**wanted)


class Baskets(NamedTuple):
    """B baskets in the order of time.

    Args:
        times: int64 (B,), seconds.
        users: ids of their users, int64 (B,).
        lines: columns of a basket's first line, and "history".
        items: numbers of the items in each, in the catalogue.
    """

    times: NDArray[np.int64]
    users: NDArray[np.int64]
    lines: pl.DataFrame
    items: Bag

    def until(self, number: int) -> "Baskets":
        """Gives the first baskets."""
        offsets = self.items.offsets[: number + 1]
        items = Bag(self.items.values[: offsets[-1]], offsets)
        return Baskets(self.times[:number], self.users[:number], self.lines[:number], items)

    def pairs(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Gives (basket, item) for all items of the chosen baskets, int64 (P,) each."""
        lengths = np.diff(self.items.offsets)[chosen]
        ends = np.cumsum(lengths)
        within = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
        starts = np.repeat(self.items.offsets[chosen], lengths)
        return np.repeat(chosen, lengths), self.items.values[starts + within]


def read_baskets(
    frame: pl.DataFrame, config: BasketsConfig, attributes: Mapping[str, AttributeFrom]
) -> tuple[Catalogue, Baskets]:
    """Puts a reader's frame into baskets.

    Raises:
        InputError: for an expression that does not work, a column that is not there or misses
            values, or no line that is left.
    """
    frame = _lines(frame, config)
    sales = frame.with_columns(pl.col(config.item).alias("name"))
    first = sales.group_by("name", maintain_order=True).first()
    names = first["name"].to_list()
    ids = np.asarray(hash_strings(names), np.int64)
    catalogue = Catalogue(names, ids, first["time"].to_numpy(), first, sales, attributes)
    catalogue.kinds  # noqa: B018  # refuses attributes that cannot be, before anything is trained
    return catalogue, _baskets(frame, config, catalogue)


def _lines(frame: pl.DataFrame, config: BasketsConfig) -> pl.DataFrame:
    if config.where is not None:
        frame = frame.filter(evaluated(frame, config.where, "baskets.where"))
    for name, sql in config.derive.items():
        frame = frame.with_columns(evaluated(frame, sql, f"baskets.derive.{name}").alias(name))
    times = pl.Series("time", seconds(frame, config.time, "baskets.time"))
    for name in (config.user, config.item):
        if column_of(frame, name, "baskets").null_count():
            raise InputError(f"column {name!r} misses values; leave those lines out by where")
    if not len(frame):
        raise InputError("no line of the log is left; look at baskets.where")
    return frame.with_columns(times).sort("time", maintain_order=True)


def _baskets(frame: pl.DataFrame, config: BasketsConfig, catalogue: Catalogue) -> Baskets:
    numbers = pl.Series(range(len(catalogue.names)), dtype=pl.Int64)
    numbered = frame.with_columns(
        pl.col(config.item).replace_strict(catalogue.names, numbers).alias("_number")
    )
    grouped = numbered.group_by(config.user, "time", maintain_order=True).agg(
        pl.exclude("_number").first(), pl.col("_number").unique(maintain_order=True)
    )
    lengths = grouped["_number"].list.len().cast(pl.Int64).to_numpy()
    items = Bag(grouped["_number"].explode().to_numpy(), np.concatenate([[0], np.cumsum(lengths)]))
    users = _ids(grouped[config.user])
    lines = grouped.drop("_number").with_columns(
        pl.Series(
            HISTORY,
            histories(users, items, catalogue.ids, config.history),
            dtype=pl.List(pl.Int64),
        )
    )
    return Baskets(grouped["time"].to_numpy(), users, lines, items)


def histories(
    users: NDArray[np.int64], items: Bag, ids: NDArray[np.int64], most: int
) -> list[list[int]]:
    """Gives for each basket the ids of the last items in earlier baskets of its user.

    Example:
        >>> users, items = np.array([1, 2, 1]), Bag(np.array([0, 1, 2, 0]), np.array([0, 2, 3, 4]))
        >>> histories(users, items, np.array([10, 11, 12]), most=5)
        [[], [], [10, 11]]
    """
    past: dict[int, list[int]] = {}
    found = []
    for basket, user in enumerate(users.tolist()):
        before = past.setdefault(user, [])
        found.append(before[-most:] if most else [])
        own = items.values[items.offsets[basket] : items.offsets[basket + 1]]
        before.extend(ids[own].tolist())
    return found


def users_now(baskets: Baskets, ids: NDArray[np.int64], most: int) -> pl.DataFrame:
    """Gives the columns of each user's last basket, and "history" with that basket in it.

    Args:
        baskets: of the log.
        ids: of the catalogue's items.
        most: items that are remembered.
    """
    last = len(baskets.users) - 1 - np.unique(baskets.users[::-1], return_index=True)[1]
    lines = baskets.lines[last]
    own = [ids[baskets.items.values[slice(*baskets.items.offsets[b : b + 2])]] for b in last]
    told = [
        [*before, *bought.tolist()][-most:] if most else []
        for before, bought in zip(lines[HISTORY].to_list(), own, strict=True)
    ]
    return lines.with_columns(
        pl.Series(HISTORY, told, dtype=pl.List(pl.Int64)), pl.Series(USER, baskets.users[last])
    )


def _aggregate(frame: pl.DataFrame, name: str, one: AttributeFrom) -> pl.Expr:
    column_of(frame, one.column, f"attributes.{name}")
    column = pl.col(one.column)
    if one.of == "distinct":
        return column.drop_nulls().unique(maintain_order=True)
    return column.first() if one.of == "first" else column.last()


def _kind(column: pl.Series, name: str) -> Kind:
    if column.dtype == pl.List(pl.String):
        return "tags"
    if column.dtype.is_integer():
        return "int"
    if column.dtype.is_float():
        return "float"
    if column.dtype not in KINDS:
        raise InputError(f"attribute {name!r} holds {column.dtype}; cast it in [baskets.derive]")
    return KINDS[column.dtype]


def _ids(column: pl.Series) -> NDArray[np.int64]:
    if column.dtype.is_integer():
        return column.cast(pl.Int64).to_numpy()
    return np.asarray(hash_strings(column.to_list()), np.int64)


def features_of(lines: pl.DataFrame, columns: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    """Gives raw features, line by line, from the columns they are read from.

    Raises:
        InputError: for a column that is not there.
    """
    for feature, column in columns.items():
        column_of(lines, column, f"inputs.{feature}")
    return lines.select(pl.col(c).alias(f) for f, c in columns.items()).to_dicts()
