"""Answers which items are nearest to a query, among those that a filter admits."""

from recsys_embed.index.config import MAX_K, IndexConfig, Parameters
from recsys_embed.index.found import Capabilities, Found, Stats
from recsys_embed.index.index import Index
from recsys_embed.index.view import View

__all__ = [
    "MAX_K",
    "Capabilities",
    "Found",
    "Index",
    "IndexConfig",
    "Parameters",
    "Stats",
    "View",
]
