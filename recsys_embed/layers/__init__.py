"""Deltas over a snapshot: each a layer of rows that lookups ask before what lies beneath it."""

from recsys_embed.layers.layer import Layer
from recsys_embed.layers.table import LayeredTable
from recsys_embed.layers.tables import LayeredTables

__all__ = ["Layer", "LayeredTable", "LayeredTables"]
