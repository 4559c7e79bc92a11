"""Retrieval: what training tells serving of its towers, and what both compute from it alike."""
