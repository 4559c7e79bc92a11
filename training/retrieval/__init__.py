"""Retrieval: who will want which item, learned from pairs alone and judged by ranking them all."""
