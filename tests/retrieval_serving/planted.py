"""A small shop whose towers, vectors and attributes are known, as the snapshot a server opens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed import SGD, CollisionlessTable, TableConfig
from recsys_embed.hashing import hash_string
from recsys_embed.retrieval.description import Ids, IndexDescription, Number, Relation, Tower
from recsys_embed.retrieval.feeding import feed
from recsys_embed.retrieval.inputs import WORD, encode
from recsys_embed.retrieval.relevance import LEAST, Adapter
from recsys_embed.snapshot import open_snapshot
from tests.retrieval_serving.tiny_towers import TinyTower
from training.retrieval.export import Bundle, ItemIndex, Vectors, write_retrieval

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

DIM, WIDTH = 8, 4
COLOURS = ("RED", "BLUE", "GREEN", "PINK", "BLACK")
THINGS = ("MUG", "LANTERN", "CLOCK", "CARD", "BAG", "TIN", "PLATE", "CANDLE")
COUNTRIES = ("United Kingdom", "France", "Germany", "Japan")
KINDS = {"name": "str", "price": "float", "countries": "tags", "last_sold": "int", "new": "bool"}
USERS = 40
# For every query alike: sigmoid(4 s^1 - 2) of a cosine s above 0, sigmoid(-2) of others.
ADAPTER = Adapter(
    np.zeros((DIM + 1, 1)),
    np.array([[0, 0, 0], [np.log(np.expm1(4 - LEAST)), np.log(np.expm1(1 - LEAST)), -2]]),
    np.array([0.0, 1.0]),
    np.array(1, np.uint8),
    np.array([0.2, 0.5]),
    np.array([1.0, 0.5]),
    np.array([0.1, 0.6]),
)
USER_TOWER = Tower(
    (Ids("customer", "customer"), Ids("country", "country"), Ids("history", "item", most=5)), DIM
)
ITEM_TOWER = Tower(
    (Ids("item", "item"), Ids("words", "word", text=True), Number("price", log=True, mean=1.0)), DIM
)


@dataclass(frozen=True, eq=False, repr=False)
class Planted:
    """The snapshot and what is in it; item i has row i of all of these.

    Args:
        root: folder of snapshots.
        path: of the one just written.
        version: of the towers.
        names: of the items; an item's id is its name's hash.
        ids: int64 (n,).
        vectors: float32 (n, 8), what the item tower gives for `item_features`.
        attributes: of each item, absent ones left out.
        item_features: of each item, what the item tower is given.
        users: ids of the users, int64 (40,).
        user_features: of each user, what the user tower is given.
        user_vectors: float32 (40, 8), what it gives for them.
        towers: "user" and "item", in numpy.
        tables: that feed the towers.
    """

    root: Path
    path: Path
    version: str
    names: list[str]
    ids: Ints
    vectors: Floats
    attributes: list[dict[str, Any]]
    item_features: list[dict[str, Any]]
    users: Ints
    user_features: list[dict[str, Any]]
    user_vectors: Floats
    towers: dict[str, TinyTower]
    tables: dict[str, CollisionlessTable]

    def query(self, features: dict[str, Any]) -> Floats:
        """What the user tower gives for features, (8,), worked out apart from serving."""
        snapshot = open_snapshot(self.path, verify=False)
        fed = feed(USER_TOWER, encode(USER_TOWER, [features]), snapshot.tables)
        return np.asarray(self.towers["user"](fed)[0])

    def best(self, query: Floats, k: int) -> Ints:
        """The ids of the k items with the largest inner products, best first."""
        return np.asarray(self.ids[np.argsort(-(self.vectors @ query), kind="stable")[:k]])


def plant(
    root: Path,
    *,
    version: str = "one",
    items: int = 200,
    drift: float = 0.0,
    relevance: bool = False,
    seed: int = 7,
    extra: dict[str, Any] | None = None,
) -> Planted:
    """Writes the shop as the next snapshot of `root`, in a small part of a second.

    Args:
        version: of the towers. Each name has towers of its own: those of "one", turned.
        items: how many; the first ones are the same in shops of any size.
        drift: how far vectors of another version are from being merely turned; 0: not at all.
        relevance: whether `ADAPTER` is there.
        seed: of everything else.
        extra: further values of the snapshot, as a log that names it needs.
    """
    names = [_name(i) for i in range(items)]
    ids = np.array([hash_string(name) for name in names], np.int64)
    tables, towers = _tables(names, seed), _towers(version, drift, seed)
    item_features = [
        {"item": name, "words": name, "price": _price(i)} for i, name in enumerate(names)
    ]
    user_features = [_user(u, names) for u in range(USERS)]
    scratch: Any = {name: _Readable(table) for name, table in tables.items()}
    vectors = towers["item"](feed(ITEM_TOWER, encode(ITEM_TOWER, item_features), scratch))
    user_vectors = towers["user"](feed(USER_TOWER, encode(USER_TOWER, user_features), scratch))
    users = np.arange(1, USERS + 1)
    attributes = [_attributes(i, name) for i, name in enumerate(names)]
    bundle = Bundle(
        tables,
        {"user": (USER_TOWER, towers["user"].onnx()), "item": (ITEM_TOWER, towers["item"].onnx())},
        _indexes(Vectors(ids, vectors), Vectors(users, user_vectors), attributes, seed, relevance),
        tower_version=version,
    )
    path = write_retrieval(root, bundle, extra=extra)
    return Planted(
        root, path, version, names, ids, vectors, attributes, item_features,
        users, user_features, user_vectors, towers, tables,
    )  # fmt: skip


class _Readable:
    """A table that training writes, read as a snapshot's would be."""

    def __init__(self, table: CollisionlessTable) -> None:
        self._table = table

    def lookup(self, ids: Ints, *, missing: Any, feature: str | None) -> Any:
        values = self._table.lookup(ids, missing=missing)
        return type("Found", (), {"values": values})


def _name(i: int) -> str:
    colour, thing = COLOURS[i % len(COLOURS)], THINGS[i // len(COLOURS) % len(THINGS)]
    return f"{colour} {thing} {i}"


def _price(i: int) -> float:
    return round(0.5 + (i * 37 % 100) / 10, 2)


def _user(u: int, names: list[str]) -> dict[str, Any]:
    history = [names[(u * 7 + 3 * j) % len(names)] for j in range(u % 6)] if names else []
    return {"customer": u + 1, "country": COUNTRIES[u % len(COUNTRIES)], "history": history}


def _attributes(i: int, name: str) -> dict[str, Any]:
    """Every tenth item has no price, every seventh no countries: attributes may be absent."""
    given: dict[str, Any] = {"name": name, "last_sold": 1_300_000_000 + i, "new": i % 4 == 0}
    if i % 10:
        given["price"] = _price(i)
    if i % 7:
        given["countries"] = tuple(COUNTRIES[: 1 + i % len(COUNTRIES)])
    return given


def _tables(names: list[str], seed: int) -> dict[str, CollisionlessTable]:
    words = sorted({word for name in names for word in WORD.findall(name)})
    held = {
        "item": [hash_string(name) for name in names],
        "word": [hash_string(word) for word in words],
        "country": [hash_string(country) for country in COUNTRIES],
        "customer": list(range(1, USERS + 1)),
    }
    return {name: _table(name, ids, seed) for name, ids in held.items()}


def _table(name: str, ids: list[int], seed: int) -> CollisionlessTable:
    table = CollisionlessTable(TableConfig.of(name, WIDTH, optimizer=SGD()))
    rng = np.random.default_rng([seed, *name.encode()])
    table.assign(np.array(ids, np.int64), rng.standard_normal((len(ids), WIDTH), np.float32))
    return table


def _towers(version: str, drift: float, seed: int) -> dict[str, TinyTower]:
    rng = np.random.default_rng([seed, 1])
    user = TinyTower.drawn({"customer": WIDTH, "country": WIDTH, "history": WIDTH}, DIM, rng)
    item = TinyTower.drawn({"item": WIDTH, "words": WIDTH, "price": 1}, DIM, rng)
    if version == "one":
        return {"user": user, "item": item}
    own = np.random.default_rng([seed, *version.encode()])
    rotation = np.linalg.qr(own.standard_normal((DIM, DIM)))[0].astype(np.float32)
    noise = np.float32(drift) * own.standard_normal((2, DIM, DIM)).astype(np.float32)
    return {"user": user.turned(rotation + noise[0]), "item": item.turned(rotation + noise[1])}


def _indexes(
    items: Vectors,
    users: Vectors,
    attributes: list[dict[str, Any]],
    seed: int,
    relevance: bool,
) -> dict[str, ItemIndex]:
    """The towers' index; and two that are asked by items: what is like one, what goes with it."""
    by_name = {kind: [row.get(kind) for row in attributes] for kind in KINDS}
    rng = np.random.default_rng([seed, 2])
    sides = rng.standard_normal((2, len(items.ids), DIM)).astype(np.float32)
    relations = {
        "similar": Relation("item_in", "similar"),
        "complementary": Relation("item_in", "complementary"),
    }
    towers = IndexDescription(
        "item_vector", "cosine", user_tower="user", item_tower="item", users="user_vector",
        seen="history", item="item", name="name", attributes=KINDS, relations=relations,
        relevance=relevance,
    )  # fmt: skip
    similar, complementary = (
        IndexDescription(table, "inner_product", name="name", attributes=KINDS)
        for table in ("item_in", "item_out")
    )
    return {
        "items": ItemIndex(
            towers, items, by_name, users, users.values, ADAPTER.arrays() if relevance else {}
        ),
        "similar": ItemIndex(similar, Vectors(items.ids, sides[0]), by_name),
        "complementary": ItemIndex(complementary, Vectors(items.ids, sides[1]), by_name),
    }
