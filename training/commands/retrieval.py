"""Train two towers, and write the snapshot from which recsys-serve recommends.

examples:
  recsys-train retrieval configs/online-retail/retrieval.toml
  recsys-serve --snapshot runs/online-retail-retrieval/snapshot
      then POST /v1/recommend {"features": {"customer": 17850, "country": "France"}, "k": 10}
  recsys-train retrieval CONFIG --epochs 2 --set complementary.epochs=1 --set 'baselines=[]'
      a quick look
  recsys-train retrieval CONFIG --seed 1 --output runs/second --bridge-from runs/first/snapshot
      new towers that can ask the index of the ones before, until that is built anew
  recsys-train retrieval CONFIG --log runs/shop/log
  recsys-serve --follow runs/shop/log
      what was sold behind the train part is learned as it comes, and served a second later

A basket is what a user bought at one moment. The user tower turns what is known of a user before
it (ids, histories, numbers) into a vector, the item tower an item's id and contents (words,
numbers); the more a basket's user wants an item, the larger the product of both. Some items' ids
are kept from the item tower in every step, so that a new item is found by its contents.

The validation part decides which epoch is kept; the test part is told once, beside what sells
anyway and matrix factorization (MF-BPR): recall, NDCG and hit rate over all items, for those that
sell much (head), less (torso), little (tail), and those that were never sold before (unseen).

The output folder gets

  snapshot/      tables, towers as ONNX, vectors and attributes of items, and what scores mean
  summary.json   all figures, and the whole config
  metrics.jsonl  the learning curve, one epoch a line; curve.png draws it
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.overrides import add_run_arguments

if TYPE_CHECKING:
    from rich.console import Console

    from training.retrieval.towers.figures import Figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which run, and where its result goes."""
    parser.add_argument("config", type=Path, help="a retrieval run in TOML")
    add_run_arguments(parser, "train.lr")
    parser.add_argument("--seed", type=int, help="short for --set seed=…")
    parser.add_argument("--epochs", type=int, help="short for --set train.epochs=…")
    parser.add_argument(
        "--bridge-from",
        type=Path,
        metavar="SNAPSHOT",
        help="an earlier snapshot whose index the new user tower shall be able to ask",
    )
    parser.add_argument(
        "--log",
        metavar="LOG",
        help="go on behind the train part, and tell this delta log (a folder, redis://…/NAME)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="remove an earlier run from the folder, and from the log",
    )


def run(options: argparse.Namespace) -> int:
    """Trains as the options say, and prints the figures."""
    from rich.console import Console

    from recsys_embed.delta_log import open_log
    from training.folder import clear
    from training.retrieval.towers.config import load_retrieval
    from training.retrieval.towers.figures import tables_to_print
    from training.retrieval.towers.progress import Shown
    from training.retrieval.towers.running import run as run_towers

    short = {"seed": options.seed, "train.epochs": options.epochs}
    given = [f"{key}={value}" for key, value in short.items() if value is not None]
    config = load_retrieval(options.config, [*options.assignments, *given])
    output = options.output or Path("runs") / config.name
    if options.overwrite:
        clear(output)
    console = Console()
    with Shown(console, config) as shown:
        figures = run_towers(
            config,
            output,
            bridge=options.bridge_from,
            log=open_log(options.log) if options.log else None,
            overwrite_log=options.overwrite,
            hears=shown,
        )
    console.print(tables_to_print(figures))
    _say(console, figures)
    return 0


def _say(console: "Console", figures: "Figures") -> None:
    relevance, bridge = figures.relevance, figures.bridge
    if relevance is not None:
        console.print(
            f"probabilities: log loss {relevance.log_loss:.4f} on {relevance.queries:,} baskets"
            f" that were not fitted to, {relevance.global_log_loss:.4f} by one map for all queries",
            soft_wrap=True,
        )
    if bridge is not None:
        console.print(
            f"a {bridge.kind} bridge to towers {bridge.to} finds {bridge.recall:.1%} of their own"
            f" {bridge.k} best on {bridge.queries:,} baskets that it was not fitted to",
            soft_wrap=True,
        )
    if (lived := figures.lived) is not None:
        console.print(
            f"live: {lived.baskets:,} baskets in {lived.entries:,} entries; asked before each was"
            f" learned, recall {lived.recall:.4f}",
            soft_wrap=True,
        )
    spent = ", ".join(f"{what} {s:.1f} s" for what, s in figures.seconds.items() if s >= 0.1)
    console.print(f"towers {figures.tower_version}: {figures.snapshot}", soft_wrap=True)
    console.print(f"{sum(figures.seconds.values()):.1f} s: {spent}", soft_wrap=True)
