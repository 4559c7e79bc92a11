"""What is known of items beside their vectors: typed attributes, for filters and answers."""

from recsys_embed.index.attributes.checking import by_attribute, checked
from recsys_embed.index.attributes.columns import Columns
from recsys_embed.index.attributes.schema import Kind, Schema
from recsys_embed.index.attributes.spelling import arrays_of, values_of

__all__ = ["Columns", "Kind", "Schema", "arrays_of", "by_attribute", "checked", "values_of"]
