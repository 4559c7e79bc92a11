"""Run a published experiment again and print what it gave beside what was published.

examples:
  recsys-train reproduce                          the experiments there are
  recsys-train reproduce graphhash-gowalla        three seeds, from configs/papers/
  recsys-train reproduce unified-ml100k --seeds 5
  recsys-train reproduce unified-frappe --quick   the whole way in two minutes; figures mean little

A validation part chooses every setting and every epoch; the test part is read once. DIR gets
result.json and, where there is something to draw, result.png. --record, in a checkout, writes the
figures into the table at the end of docs/papers.md.

Data that may not be shipped is looked for in the folder that RECSYS_DATA names (../shared/data).
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which experiment, how often, and where its result goes."""
    parser.add_argument("name", nargs="?", help="an experiment; without one, they are listed")
    parser.add_argument("--seeds", type=int, metavar="K", help="runs, of seeds 1 to K (3)")
    parser.add_argument("--quick", action="store_true", help="little data, few epochs, one seed")
    parser.add_argument("--config", type=Path, help="instead of configs/papers/NAME.toml")
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="replace one value of the config; may repeat",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of the result (runs/reproduce/NAME)"
    )
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--resume", action="store_true", help="go on where an earlier one stopped")
    kept.add_argument("--overwrite", action="store_true", help="remove an earlier one first")
    parser.add_argument(
        "--record", action="store_true", help="write the figures into docs/papers.md"
    )


def run(options: argparse.Namespace) -> int:
    """Reproduces, or lists what can be reproduced."""
    from training.reproduce.running import main

    return main(options)
