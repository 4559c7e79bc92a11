"""What stands in a URL behind the question mark; nothing unknown, nothing twice."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from serving.asked import Policy
from serving.queries import Defaults, InvalidRequestError

POLICIES: tuple[Policy, ...] = ("initial", "zeros", "error")
OF_ONE_TABLE = ("missing", "feature")
OF_SEVERAL_TABLES = ("missing",)
OF_ITEMS = ("prefix", "limit")
LIMIT = 100


class Under(NamedTuple):
    """The first `limit` items whose semantic IDs begin with these codes."""

    prefix: tuple[int, ...]
    limit: int


@lru_cache(maxsize=256)
def defaults_of(query_string: bytes, known: tuple[str, ...]) -> Defaults:
    """Reads `?missing=initial|zeros|error&feature=NAME`, as far as they are known.

    Raises:
        InvalidRequestError: for another parameter, a repeated one or another policy.
    """
    given = _given(query_string, known)
    asked = given.get("missing")
    policy = next((one for one in POLICIES if one == asked), None)
    if policy is None and asked is not None:
        raise InvalidRequestError(f"missing: expected one of {POLICIES}, got {asked!r}")
    return Defaults(policy, given.get("feature"))


def under_of(query_string: bytes, max_limit: int) -> Under:
    """Reads `?prefix=12,7&limit=100`; no prefix is the prefix of all.

    Raises:
        InvalidRequestError: for codes that are no integers, or a limit outside [1, max_limit].
    """
    given = _given(query_string, OF_ITEMS)
    text = given.get("prefix", "")
    codes = tuple(_integer("prefix", one) for one in text.split(",")) if text else ()
    limit = _integer("limit", given["limit"]) if "limit" in given else min(LIMIT, max_limit)
    if not 1 <= limit <= max_limit:
        raise InvalidRequestError(f"limit: expected an integer in [1, {max_limit}], got {limit}")
    return Under(codes, limit)


def _given(query_string: bytes, known: tuple[str, ...]) -> dict[str, str]:
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs) or not given.keys() <= set(known):
        raise InvalidRequestError(
            f"expected the query parameters {', '.join(map(repr, known))}, each once at most,"
            f" got {', '.join(repr(name) for name, _ in pairs)}"
        )
    return given


def _integer(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise InvalidRequestError(f"{name}: expected integers of up to 9 digits, got {text!r}")
