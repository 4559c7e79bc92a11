"""Send a replay's records to a Redis Stream or a Kafka topic, as a producer would.

examples:
  recsys-train feed configs/online-retail/online.toml --to redis://localhost:6379/events
  recsys-train feed CONFIG --to redis://localhost:6379/events --speed 3600 --maxlen 1000000
  recsys-train feed CONFIG --to kafka://localhost:9092/events --set source.start=2011-11-01
  recsys-train feed configs/movielens-100k/dnn.toml --to redis://localhost:6379/ratings

CONFIG is an online run whose source is a replay, or any run whose events have a time. Records are
JSON, see docs/operations.md; the section of a config that reads them is printed first. While the
server is away, feeding waits.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says which replay, where to, and how fast."""
    parser.add_argument("config", type=Path, help="a run in TOML")
    parser.add_argument(
        "--to",
        required=True,
        metavar="PLACE",
        help="redis://host:port/STREAM (also rediss://, unix://) or kafka://host:port,…/TOPIC",
    )
    parser.add_argument(
        "--speed", type=float, help="seconds of event time in a second; 0: as fast as it goes"
    )
    parser.add_argument(
        "--maxlen", type=int, metavar="N", help="about how many records a Redis Stream keeps (all)"
    )
    parser.add_argument(
        "--outcome-after",
        type=float,
        metavar="S",
        help="impressions, and for those with label 1 an outcome S seconds later",
    )
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="replace one value of the config; may repeat",
    )


def run(options: argparse.Namespace) -> int:
    """Feeds, and says how many records were sent."""
    import time

    from rich.console import Console
    from rich.progress import Progress

    from training.online.feeding import feed, open_replay, section_of, sink_of

    source = open_replay(
        options.config,
        options.assignments,
        speed=options.speed,
        outcome_after_s=options.outcome_after,
    )
    print(section_of(options.to, source.columns), flush=True)
    sink, console, began = sink_of(options.to, options.maxlen), Console(), time.monotonic()
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("feeding", total=source.num_records)
        sent = feed(source, sink, lambda sent: bar.update(task, completed=sent))
        sink.close()
    seconds = time.monotonic() - began
    console.print(f"{sent:,} records in {seconds:.1f} s ({sent / seconds:,.0f} records/s)")
    return 0
