"""The fault matrix as one command: every fault on real processes, and what each has cost.

    python -m tests.chaos             under 15 minutes on two cores
    python -m tests.chaos --quick     each fault a few times
    python -m tests.chaos --only killed,forks --json faults.json

It ends with 1 if anything was lost or doubled.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.disks import become_able_to_mount
from tests.chaos.ground import Ground, ground
from tests.chaos.matrix import FAULTS, QUICK_EVENTS, Fault
from tests.chaos.tally import Tally

SHOWN = 1000
HEAD = ("fault", "log", "times", "lost", "doubled", "recovery: median", "worst")


def main() -> int:
    """Runs the matrix, prints its table, and says whether all is well."""
    options = parser().parse_args()
    become_able_to_mount("tests.chaos")
    chosen = [f for f in FAULTS if options.only is None or f.name in options.only.split(",")]
    began = time.monotonic()
    with TemporaryDirectory(prefix="chaos-") as folder, ground(Path(folder)) as here:
        tallies = run(here, chosen, options.quick)
    seconds = time.monotonic() - began
    print(f"\n{table(tallies)}\n\n{len(tallies)} rows in {seconds:.0f} s")
    if options.json:
        values = {"seconds": seconds, "faults": [tally.values() for tally in tallies]}
        options.json.write_text(json.dumps(values, indent=1) + "\n")
    return 0 if all(tally.is_well for tally in tallies) else 1


def parser() -> argparse.ArgumentParser:
    """Says what may be asked for."""
    made = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("--quick", action="store_true", help="each fault a few times only")
    made.add_argument("--only", metavar="NAMES", help=", ".join(f.name for f in FAULTS))
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return made


def run(here: Ground, faults: list[Fault], quick: bool) -> list[Tally]:
    """Does each fault in each place, and says what came of it."""
    tallies = list[Tally]()
    for fault, place in [(one, place) for one in faults for place in one.places]:
        planted = fault.planted(here, QUICK_EVENTS if quick else None)
        try:
            tally = fault.run(here, planted, place, fault.quick if quick else fault.times)
        except AssertionError as error:
            tally = Tally(fault.name, place, why=[f"broken off: …{str(error)[-SHOWN:]}"])
        tallies.append(tally)
        print(" | ".join(cells(tally)), *tally.why, sep="\n    ", flush=True)
    return tallies


def table(tallies: list[Tally]) -> str:
    """Lays the figures out, as Markdown."""
    rows = [HEAD, *(cells(tally) for tally in tallies)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def cells(tally: Tally) -> tuple[str, ...]:
    """One row of the table."""
    values = tally.values()
    recovery = values["recovery_s"]
    spelled = [f"{recovery[name]:.2f} s" if recovery else "-" for name in ("median", "worst")]
    counts = [str(values[name]) for name in ("times", "updates_lost", "updates_doubled")]
    return (tally.fault, tally.place, *counts, *spelled)


if __name__ == "__main__":
    sys.exit(main())
