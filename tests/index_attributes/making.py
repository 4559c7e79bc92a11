"""Items with attributes of every kind, few enough values that filters meet them."""

from hypothesis import strategies as st

from recsys_embed.index.attributes import Schema

SCHEMA = Schema(
    {"price": "float", "stock": "int", "country": "str", "sold": "bool", "topics": "tags"}
)
WORDS = ("", "a", "b", "Ä", "日本", "a\x00b")
INTS = (-(2**63), -1, 0, 1, 2, 3, 2**63 - 1)
FLOATS = (-1e300, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 1e300)

VALUES = {
    "price": st.sampled_from(FLOATS),
    "stock": st.sampled_from(INTS),
    "country": st.sampled_from(WORDS),
    "sold": st.booleans(),
    "topics": st.lists(st.sampled_from(WORDS), unique=True, max_size=3).map(tuple),
}


def items(max_size: int = 12) -> st.SearchStrategy[list[dict]]:
    """Items as dicts, absent attributes left out."""
    return st.lists(st.fixed_dictionaries({}, optional=VALUES), max_size=max_size)
