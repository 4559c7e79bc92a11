"""Resident memory of an index alone: it is built in a process of its own."""

import argparse
import subprocess
import sys

from benchmarks.memory import resident_bytes
from benchmarks.nearest import vectors
from recsys_embed.index import Index, IndexConfig


def probe(codec: str, items: int) -> float:
    """Gives the bytes an item that building over planted items adds, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.nearest.resident", codec, str(items)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return float(run.stdout)


def main() -> None:
    """Builds twice, the first time a small one that loads all code, and prints bytes an item."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("codec")
    options.add_argument("items", type=int)
    given = options.parse_args()
    of = vectors.planted(given.items, 300)
    config = IndexConfig(kind="ivf", codec=given.codec)
    Index.build(of.ids[:1000], of.vectors[:1000], config=config, queries=of.queries)
    before = resident_bytes()
    index = Index.build(of.ids, of.vectors, config=config, queries=of.queries)
    print((resident_bytes() - before) / len(index))


if __name__ == "__main__":
    main()
