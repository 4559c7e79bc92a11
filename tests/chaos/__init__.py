"""Faults against real processes, and a reckoning of what they cost: `python -m tests.chaos`."""
