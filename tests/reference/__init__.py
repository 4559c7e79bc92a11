"""Slow, obvious versions of what the library does, written apart from it, to compare it with."""

from tests.reference.table import ReferenceTable

__all__ = ["ReferenceTable"]
