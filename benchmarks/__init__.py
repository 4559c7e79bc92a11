"""Measurements against named peers, in the same run; each module prints a table and writes JSON."""
