"""The reckoning is tried on a directory and on a real Redis."""

from tests.delta_log.conftest import folder, place

__all__ = ["folder", "place"]
