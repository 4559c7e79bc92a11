"""Which items a search may find: a small language over attributes, compiled to masks over slots."""

from recsys_embed.index.filters.limits import Limits
from recsys_embed.index.filters.parsing import parse
from recsys_embed.index.filters.predicates import Predicate

__all__ = ["Limits", "Predicate", "parse"]
