"""Learn from a stream as it comes, and publish every change to a delta log.

examples:
  recsys-train online configs/online-retail/online.toml
  recsys-serve --follow runs/online-retail-online/log      serves what was learned a second ago
  recsys-embed log runs/online-retail-online/log           who is how far behind
  recsys-train online CONFIG --set source.speed=86400      a day of the replay in a second
  recsys-train online CONFIG --set publish.log=redis://localhost:6379/shop

The same command goes on where the run was: from the log's last entry, after Ctrl-C, SIGTERM, a
crash or a kill -9; no event is lost or learned twice. --from goes back to an earlier snapshot, and
then the log begins a new lineage, which its followers take up by themselves.

The folder of the run gets

  snapshots/     all rows, each the state at one entry of the log; recsys-serve --snapshot reads it
  log/           the delta log, unless publish.log names another place
  heads/         what the trainer needs besides, to go on from the last entry
  metrics.jsonl  prequential AUC, log loss and calibration, one window a line
  summary.json   how the run stood when it ended
"""

import argparse
from pathlib import Path

from training.overrides import add_run_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which run, from where, and how far."""
    parser.add_argument("config", type=Path, help="an online run in TOML")
    add_run_arguments(parser, "source.speed")
    parser.add_argument("--events", type=int, metavar="N", help="stop behind N events in all")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "--from", dest="start", type=Path, metavar="SNAPSHOT", help="fork from this snapshot"
    )
    begin.add_argument(
        "--anew", action="store_true", help="remove what is in the folder and in the log first"
    )


def run(options: argparse.Namespace) -> int:
    """Runs it, and says at the end what was done."""
    from training.online.config import load_online
    from training.online.dashboard import for_terminal, rows_of
    from training.online.running import Online

    config = load_online(options.config, options.assignments)
    output = options.output or Path("runs") / config.name
    online = Online(
        config,
        output,
        start=options.start,
        anew=options.anew,
        max_events=options.events,
        watcher=for_terminal(),
    )
    status = online.run()
    for name, text in rows_of(status, 0.0, f"see {output}/metrics.jsonl"):
        print(f"{name:>10}  {text}")
    return 0
