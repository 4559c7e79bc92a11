"""`recsys-train`: one config in, a trained snapshot and its figures out."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from training import commands
from training.overrides import add_run_arguments

EPILOG = """\
commands, each with a --help of its own:
COMMANDS

examples:
  recsys-train configs/online-retail/dlrm.toml
  recsys-train configs/online-retail/dlrm.toml --set 'table.row_map={kind="hashed", rows=1000}'
  recsys-train configs/frappe/dnn.toml --seed 2 --output runs/frappe-2
  recsys-train configs/frappe/dnn.toml --resume
  recsys-train reproduce unified-ml100k

A config names the data, what of it is an event, the features and their tables, the model, and how
long to train; configs/ holds commented ones. The output folder gets

  snapshot/      tables and dense weights; recsys-serve --snapshot and recsys-embed inspect read it
  summary.json   figures, counts of each table, and the whole config
  metrics.jsonl  the learning curve, one point a line; curve.png draws it
  checkpoints/   from where --resume goes on, after Ctrl-C, SIGTERM or a crash; the result is the
                 same, bit for bit, as that of a run that was never stopped

Data that may not be shipped is looked for in the folder that RECSYS_DATA names (../shared/data).
"""


def make_parser() -> argparse.ArgumentParser:
    """Builds the parser of `recsys-train CONFIG`; its help is the manual."""
    listed = [f"  recsys-train {name:14} {commands.summary(name)}" for name in commands.names()]
    parser = argparse.ArgumentParser(
        prog="recsys-train",
        description="Train a recommender on collisionless, expirable embedding tables.",
        epilog=EPILOG.replace("COMMANDS", "\n".join(listed)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "config",
        type=Path,
        help="a run in TOML; or a command, see below (a config of that name: ./NAME)",
    )
    add_run_arguments(parser, "train.lr")
    parser.add_argument("--seed", type=int, help="short for --set seed=…")
    parser.add_argument("--epochs", type=int, help="short for --set train.epochs=…")
    parser.add_argument("--threads", type=int, help="short for --set train.threads=…")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    kept.add_argument(
        "--overwrite", action="store_true", help="remove an earlier run from the folder"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns 0, 2 for bad input, 128 + the signal's number if interrupted."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in commands.names():
        return guarded(lambda: commands.run(given[0], given[1:]))
    options = make_parser().parse_args(given)
    return guarded(lambda: run(options), "; --resume needs an earlier checkpoint")


def guarded(work: Callable[[], int], advice: str = "") -> int:
    """Does the work; says errors and interruptions in a sentence, and gives the exit status."""
    # torchrec's import makes torch warn of a rename that concerns neither of us.
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)
    # Only now, so that --help answers at once: torch and torchrec take seconds to import.
    from recsys_embed.errors import RecsysEmbedError
    from training.interruption import Interrupted

    try:
        return work()
    except RecsysEmbedError as error:
        print(f"recsys-train: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # nobody reads any more, nor would anybody read why
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except OSError as error:
        print(f"recsys-train: {error}", file=sys.stderr)
        return 2
    except Interrupted as interrupted:
        print(f"recsys-train: {interrupted}", file=sys.stderr)
        return 128 + interrupted.signal_number
    except KeyboardInterrupt:  # while reading the data, or by a second Ctrl-C
        print(f"recsys-train: stopped at once{advice}", file=sys.stderr)
        return 128 + signal.SIGINT


def run(options: argparse.Namespace) -> int:
    """Trains as the options say, and prints the figures."""
    refuse_unknown_command(options.config)
    from rich.console import Console

    from training.config import load_config
    from training.folder import clear
    from training.report import tables_to_print
    from training.reporting import for_terminal
    from training.train import train

    short = {"seed": options.seed, "train.epochs": options.epochs, "train.threads": options.threads}
    given = [f"{key}={value}" for key, value in short.items() if value is not None]
    config = load_config(options.config, [*options.assignments, *given])
    output = options.output or Path("runs") / config.name
    if options.overwrite:
        clear(output)
    result = train(config, output, resume=options.resume, reporter=for_terminal())
    console = Console()
    console.print(tables_to_print(result))
    console.print(
        f"{result.examples:,} examples in {result.seconds:.1f} s of training"
        f" ({result.examples_per_s:,.0f} examples/s); snapshot in {result.snapshot_s:.2f} s:"
        f" {result.snapshot}",
        soft_wrap=True,
    )
    return 0


def refuse_unknown_command(config: Path) -> None:
    """Refuses a word that is neither a file nor a command.

    Raises:
        ConfigError: naming the commands.
    """
    from recsys_embed.config import near
    from recsys_embed.errors import ConfigError

    if config.parent == Path() and not config.suffix and not config.exists():
        raise ConfigError(
            f"{config.name!r} is neither a config nor a command; "
            + near(config.name, commands.names())
        )


if __name__ == "__main__":
    sys.exit(main())
