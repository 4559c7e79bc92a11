"""Impressions and outcomes become events: what was shown waits for what comes of it."""

from training.online.joining.joiner import Join, Joiner

__all__ = ["Join", "Joiner"]
