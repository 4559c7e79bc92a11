"""Engines: what finds the slots of the nearest vectors, behind one protocol."""

from recsys_embed.index.engines.protocol import Chosen, Engine, Hits, Reach

__all__ = ["Chosen", "Engine", "Hits", "Reach"]
