"""The command: which reproduction, its runs one after another, and what they came to."""

import argparse
import time
from pathlib import Path

from rich.console import Console

from recsys_embed.errors import InputError
from training.reproduce.experiment import Experiment
from training.reproduce.experiments import class_of, load, names
from training.reproduce.printing import Progress, say_claims, table_of
from training.reproduce.record import record
from training.reproduce.results import RESULT, Results


def main(options: argparse.Namespace) -> int:
    """Reproduces what the options name; lists what there is if they name nothing.

    Raises:
        InputError: for what cannot be run as asked.
    """
    console = Console(highlight=False)
    if options.name is None:
        for name in names():
            console.print(f"{name:22} {class_of(name).summary}", soft_wrap=True)
        return 0
    experiment, seeds = _asked(options)
    folder = options.output or Path("runs/reproduce") / options.name
    results = Results(folder, experiment, resume=options.resume, overwrite=options.overwrite)
    began = time.monotonic()
    _run(experiment, seeds, results, console)
    rows = results.rows()
    claims = list(experiment.claims(rows))
    results.write(rows, claims, time.monotonic() - began)
    # a table squeezed into the width of a pipe breaks its words
    wide = console if console.is_terminal else Console(width=200)
    wide.print(table_of(experiment, rows))
    if options.quick:
        console.print("--quick: these figures say that everything runs, no more")
    else:
        say_claims(console, claims)
    if options.record:
        record(experiment, rows)
    console.print(f"all of it: {folder / RESULT}", soft_wrap=True)
    return 0


def _asked(options: argparse.Namespace) -> tuple[Experiment, range]:
    experiment = load(options.name, options.config, options.assignments)
    if options.quick and options.record:
        raise InputError("figures of --quick are not worth a --record; leave one out")
    if options.quick:
        experiment = experiment.quick()
    seeds = (1 if options.quick else 3) if options.seeds is None else options.seeds
    if seeds < 1:
        raise InputError(f"--seeds must be at least 1, got {seeds}")
    return experiment, range(1, seeds + 1)


def _run(experiment: Experiment, seeds: range, results: Results, console: Console) -> None:
    wanted = [(case, seed) for seed in seeds for case in experiment.cases]
    missing = [each for each in wanted if each not in results.outcomes]
    progress = Progress(console, len(missing), experiment)
    for case, seed in missing:
        began = time.monotonic()
        with console.status(f"{case}, seed {seed} …"):  # on a terminal; elsewhere it is silent
            outcome = experiment.run(case, seed)
        results.add(case, seed, outcome)
        progress.say(case, seed, outcome, time.monotonic() - began)
