"""Plain dictionaries to frozen dataclasses and back, refusing what they do not know."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union, get_args, get_origin

from recsys_embed.errors import ConfigError

T = TypeVar("T")
LONGEST = 100  # characters of a name that are compared: more takes long and is like no other


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Builds a frozen dataclass from plain values; `from_dict(type(c), to_dict(c)) == c`.

    Nested dataclasses are built in turn; a union of dataclasses is chosen by its `kind`. A bare
    string stands for `{"kind": string}`.

    Args:
        cls: the dataclass to build.
        values: its fields by name, of plain JSON or TOML types.
        where: how error messages name this place.

    Raises:
        ConfigError: for an unknown key (naming the near ones), a missing one, or a wrong type.

    Example:
        >>> from recsys_embed.rules import FeatureRule
        >>> from_dict(FeatureRule, {"name": "user", "threshold": 3})
        FeatureRule(name='user', threshold=3, ttl_s=None)
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    _refuse_unknown(cls, values, fields, where)
    hints = typing.get_type_hints(cls)
    built = {
        name: _build(hints[name], value, f"{where}.{name}")
        for name, value in values.items()
        if name in fields
    }
    missing = [n for n, f in fields.items() if n not in built and _is_required(f)]
    if missing:
        raise ConfigError(
            f"{where} needs {', '.join(map(repr, missing))}; got {sorted(values) or 'nothing'}"
        )
    return cls(**built)


def to_dict(config: Any) -> dict[str, Any]:
    """Gives the plain JSON values from which `from_dict` builds an equal object.

    Example:
        >>> from recsys_embed.rules import FeatureRule
        >>> to_dict(FeatureRule("user", threshold=3))
        {'name': 'user', 'threshold': 3, 'ttl_s': None}
    """
    plain = {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.init}
    kind = getattr(type(config), "kind", None)
    return {"kind": kind, **plain} if isinstance(kind, str) and "kind" not in plain else plain


def near(name: str, known: Sequence[str]) -> str:
    """Ends an error sentence about an unknown name with the names that exist, near ones first.

    Example:
        >>> near("tresh", ["threshold", "ttl_s"])
        "did you mean 'threshold'? known: threshold, ttl_s"
    """
    close = difflib.get_close_matches(name[:LONGEST], known, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{guess}known: {', '.join(sorted(known)) or 'nothing'}"


def _refuse_unknown(
    cls: type, values: Mapping[str, Any], fields: Mapping[str, Any], where: str
) -> None:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} must be a table of keys and values, got {values!r}")
    for key in values:
        is_tag = key == "kind" and hasattr(cls, "kind") and values[key] == cls.kind
        if key not in fields and not is_tag:
            raise ConfigError(f"{where} has no key {key!r}; {near(key, list(fields))}")


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value


def _build(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _build_union(args, value, where)
    if origin is tuple:
        return _build_tuple(args, value, where)
    if origin in (dict, Mapping) or origin is not None and origin.__name__ == "Mapping":
        return {k: _build(args[1], v, f"{where}.{k}") for k, v in _mapping(value, where).items()}
    if origin is typing.Literal:
        return _one_of(args, value, where)
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type[Any], hint), _tagged(value), where)
    return _scalar(hint, value, where)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a table of keys and values, got {value!r}")
    return value


def _build_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} must be a list, got {value!r}")
    inner = args[:1] * len(value) if args[1:] == (...,) else args
    if len(inner) != len(value):
        raise ConfigError(f"{where} must be a list of {len(inner)} values, got {value!r}")
    return tuple(
        _build(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(inner, value, strict=True))
    )


def _build_union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    options = [a for a in args if a is not type(None)]
    tagged = {
        kind: a
        for a in options
        if dataclasses.is_dataclass(a) and isinstance(kind := getattr(a, "kind", None), str)
    }
    if tagged and (isinstance(value, Mapping) and "kind" in value or isinstance(value, str)):
        table = _tagged(value)
        kind = table["kind"]
        if kind not in tagged:
            raise ConfigError(f"{where} has no kind {kind!r}; {near(str(kind), list(tagged))}")
        return from_dict(typing.cast(type[Any], tagged[kind]), table, where)
    if len(options) == 1:
        return _build(options[0], value, where)
    for option in options:
        try:
            return _build(option, value, where)
        except ConfigError:
            continue
    names = tagged or [getattr(o, "__name__", str(o)) for o in options]
    raise ConfigError(f"{where} must be one of {', '.join(names)}, got {value!r}")


def _tagged(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


def _one_of(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in options:
        raise ConfigError(f"{where} must be one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where} must be a {hint.__name__}, got {value!r}")
    return value
