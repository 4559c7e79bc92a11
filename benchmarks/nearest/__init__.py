"""Nearest items: vectors to search, what the answers must be, and every side that is timed."""

import os

# read when numpy and faiss load: on both sides of a figure a search has one thread
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
