"""Towers, vectors and attributes into the one snapshot that serving opens."""

from training.retrieval.export.bundle import Bundle, ItemIndex, Vectors, write_retrieval

__all__ = ["Bundle", "ItemIndex", "Vectors", "write_retrieval"]
