"""What a snapshot says about retrieval: its towers, what they are fed, and its indexes of items.

It stands in `extra["retrieval"]` of the snapshot. Vectors are rows of its tables; all else that is
large stands among its `dense` arrays, under the names that `array_name` and `tower_array` give: a
tower is an ONNX file as uint8, attributes are spelled as `recsys_embed.index.attributes` does. So
snapshots and deltas carry retrieval without a format of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from recsys_embed.config import from_dict, near, to_dict
from recsys_embed.errors import ConfigError

EXTRA = "retrieval"
VERSION = 1


@dataclass(frozen=True)
class Ids:
    """A tower's input made of ids: their vectors in a table, pooled; a zero vector for none.

    Args:
        feature: whose raw values they are, as clients name it; also the name of the ONNX input,
            float32 (B, D).
        table: that holds their rows.
        of: feature of the table, for row maps that tell features apart; its first if empty.
        text: whether a raw value is a text whose words are the ids.
        most: how many count, from the end of a list; 0: all.
        pooling: how the vectors of one example become one.
        missing: what an id without a row reads.
    """

    kind: ClassVar[str] = "ids"
    feature: str
    table: str
    of: str = ""
    text: bool = False
    most: int = 0
    pooling: Literal["mean", "sum"] = "mean"
    missing: Literal["zeros", "initial"] = "zeros"

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ConfigError(f"most must not be negative, got {self.most}")


@dataclass(frozen=True)
class Number:
    """A tower's input that is a number x: (log(1 + max(x, 0)) - mean) / std, or without the log.

    The ONNX input of this name is float32 (B, 1).

    Args:
        feature: whose raw value it is, as clients name it.
        log: whether the logarithm is taken first.
        mean: that training saw.
        std: that training saw, above 0.
    """

    kind: ClassVar[str] = "number"
    feature: str
    log: bool = False
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ConfigError(f"std must be above 0, got {self.std}")


Input = Ids | Number


@dataclass(frozen=True)
class Tower:
    """A network from features to vectors, and its inputs.

    Args:
        inputs: in the order of the network's own; their features are distinct.
        dim: of a vector.
        interests: vectors an example: the output is float32 (B, dim), or (B, interests, dim).
    """

    inputs: tuple[Input, ...]
    dim: int
    interests: int = 1

    def __post_init__(self) -> None:
        names = [one.feature for one in self.inputs]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"a tower needs inputs of distinct features, got {names}")
        if self.dim < 1 or self.interests < 1:
            raise ConfigError(
                f"dim and interests must be at least 1, got {self.dim} and {self.interests}"
            )

    @property
    def features(self) -> tuple[str, ...]:
        """Names what a client can give."""
        return tuple(one.feature for one in self.inputs)


@dataclass(frozen=True)
class Bridge:
    """A map of query vectors to those of an older tower version, and how well it was found to do.

    Args:
        to: the tower version whose index it reaches.
        kind: of the map; its arrays are `array_name(index, f"bridges/{to}", …)`.
        recall: of the older tower's own neighbours among those of bridged queries.
        k: how many neighbours that was measured with.
        queries: how many queries, none of which the map was fitted to.
    """

    to: str
    kind: Literal["mean", "linear", "procrustes"]
    recall: float
    k: int
    queries: int


@dataclass(frozen=True)
class Relation:
    """How items lead to items: an item's vector in one table is a query to an index.

    Args:
        queries: table of the query vectors, by item id.
        index: that is asked.
    """

    queries: str
    index: str


@dataclass(frozen=True)
class IndexDescription:
    """One index of items: whose vectors, by which measure, for which tower, with what beside.

    Args:
        vectors: table of the items' vectors, by item id.
        metric: by which vectors are compared.
        user_tower: that makes queries of users' features; none for an index asked by vectors alone.
        item_tower: that makes vectors of items' features.
        users: table of users' vectors, by user id, for those who come with an id alone; of several
            interests they stand one behind the other.
        seen: input of the user tower whose ids are items that the user had already.
        item: input of the item tower that is the item's own id; an item's id is that of its name.
        name: attribute that is an item's name.
        attributes: kind by name, see `recsys_embed.index.attributes.Schema`.
        config: values of an `IndexConfig`, the metric left out.
        relevance: whether the arrays of a `recsys_embed.retrieval.relevance.Adapter` are there.
        relations: by name, "similar" and "complementary" say.
        bridges: to older tower versions.
    """

    vectors: str
    metric: Literal["inner_product", "cosine"]
    user_tower: str | None = None
    item_tower: str | None = None
    users: str | None = None
    seen: str | None = None
    item: str | None = None
    name: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    relevance: bool = False
    relations: dict[str, Relation] = field(default_factory=dict)
    bridges: tuple[Bridge, ...] = ()


@dataclass(frozen=True)
class Retrieval:
    """All of it; checked for names that lead nowhere.

    Args:
        tower_version: names towers and item vectors together: what has the same one fits together.
        towers: by name.
        indexes: by name.
        version: of this description.

    Example:
        >>> tower = Tower((Ids("customer", table="customer"),), dim=8)
        >>> items = IndexDescription("item_vector", "cosine", user_tower="user")
        >>> told = Retrieval("5f3a", {"user": tower}, {"items": items})
        >>> read({"retrieval": spelled(told)}) == told
        True
    """

    tower_version: str
    towers: dict[str, Tower]
    indexes: dict[str, IndexDescription]
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.version != VERSION:
            raise ConfigError(
                f"this library reads version {VERSION} of a retrieval description, got"
                f" {self.version}; read it with a newer recsys-embed"
            )
        for name, index in self.indexes.items():
            self._check(name, index)

    def _check(self, name: str, index: IndexDescription) -> None:
        for role in ("user_tower", "item_tower"):
            tower = getattr(index, role)
            if tower is not None:
                _refuse_unknown(f"indexes.{name}.{role}", tower, self.towers)
        for relation in index.relations.values():
            _refuse_unknown(f"a relation of indexes.{name}", relation.index, self.indexes)
        for role, tower in (("seen", index.user_tower), ("item", index.item_tower)):
            if (feature := getattr(index, role)) is not None:
                features = self.towers[tower].features if tower is not None else ()
                _refuse_unknown(f"indexes.{name}.{role}", feature, dict.fromkeys(features))
        if index.name is not None:
            _refuse_unknown(f"indexes.{name}.name", index.name, index.attributes)


def spelled(retrieval: Retrieval) -> dict[str, Any]:
    """Gives the plain JSON values that a snapshot's `extra` holds."""
    return to_dict(retrieval)


def read(extra: Mapping[str, Any]) -> Retrieval | None:
    """Reads what a snapshot says about retrieval from its `extra`; None if it says nothing.

    Raises:
        ConfigError: for a description that is not as it must be.
    """
    values = extra.get(EXTRA)
    return None if values is None else from_dict(Retrieval, values, EXTRA)


def tower_array(tower: str) -> str:
    """Names the dense array that holds a tower's ONNX file.

    Example:
        >>> tower_array("user")
        'towers/user.onnx'
    """
    return f"towers/{tower}.onnx"


def array_name(index: str, part: str, name: str = "") -> str:
    """Names a dense array of an index.

    Parts: "ids", int64 (n,), the items whose "attributes" follow; "queries", float32 (q, D), real
    ones, for tuning; "relevance" and "bridges/VERSION" as those modules name their arrays.

    Example:
        >>> array_name("items", "ids"), array_name("items", "attributes", "price/values")
        ('indexes/items/ids', 'indexes/items/attributes/price/values')
    """
    return "/".join(filter(None, ("indexes", index, part, name)))


def arrays_under(dense: Mapping[str, Any], index: str, part: str) -> dict[str, Any]:
    """Gives the arrays of a part by their own names.

    Example:
        >>> dense = {"indexes/items/relevance/w": 1, "indexes/items/ids": 2}
        >>> arrays_under(dense, "items", "relevance")
        {'w': 1}
    """
    prefix = array_name(index, part) + "/"
    return {
        name.removeprefix(prefix): array for name, array in dense.items() if name.startswith(prefix)
    }


def _refuse_unknown(where: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        raise ConfigError(f"{where} names {name!r}; {near(name, list(known))}")
