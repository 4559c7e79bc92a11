"""Nearest items: vectors to search, what the answers must be, and every side that is timed."""
