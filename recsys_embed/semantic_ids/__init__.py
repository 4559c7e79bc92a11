"""Semantic IDs: codes of item contents, near for near contents, and what is made of them."""

from recsys_embed.semantic_ids.codebooks import Codebooks

__all__ = ["Codebooks"]
