"""Which attributes items have, and of what kind each is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from recsys_embed.config import near
from recsys_embed.errors import ConfigError

Kind = Literal["str", "int", "float", "bool", "tags"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Schema:
    """Gives every attribute of an index one kind, for good. `Schema(dict(s.kinds)) == s`.

    Any item may lack any attribute. `dict(schema.kinds)` is plain JSON.

    Args:
        kinds: by attribute: "str"; "int", of 64 bits; "float", finite, of 64 bits; "bool"; or
            "tags", any number of distinct strings.

    Raises:
        ConfigError: for an empty name or a kind that is none of these.

    Example:
        >>> Schema({"price": "float", "countries": "tags"}).kinds["price"]
        'float'
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.kinds, Mapping):
            raise ConfigError(f"a schema must be a table of names and kinds, got {self.kinds!r}")
        for name, kind in self.kinds.items():
            if not isinstance(name, str) or not name:
                raise ConfigError(f"an attribute needs a name, got {name!r}")
            if kind not in KINDS:
                raise ConfigError(
                    f"attribute {name!r} has no kind {kind!r}; {near(str(kind), KINDS)}"
                )
        object.__setattr__(self, "kinds", MappingProxyType(dict(self.kinds)))

    def __hash__(self) -> int:
        return hash(frozenset(self.kinds.items()))

    def __reduce__(self) -> tuple[type["Schema"], tuple[dict[str, Kind]]]:
        return Schema, (dict(self.kinds),)  # a mapping proxy cannot be pickled
