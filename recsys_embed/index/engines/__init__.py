"""Engines: what finds the slots of the nearest vectors, behind one protocol."""

from recsys_embed.index.engines.protocol import Bits, Engine, Hits

__all__ = ["Bits", "Engine", "Hits"]
