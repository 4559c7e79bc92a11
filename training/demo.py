"""The whole way on real data, told as it happens: `python -m training.demo`."""

import logging
import resource
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from recsys_embed import hash_string
from recsys_embed.errors import RecsysEmbedError
from recsys_embed.nn import tables_of
from recsys_embed.row_maps import Hashed
from training.config import RunConfig, load_config
from training.demo_online import tell_online
from training.demo_retrieval import tell_retrieval
from training.events import Events
from training.folder import clear
from training.report import Result
from training.reporting import for_terminal
from training.same_memory import SMALL, hashed_alike
from training.served import Served
from training.splits import Parts
from training.train import read, train

CONFIG = Path("configs/online-retail/dlrm.toml")
OUTPUT = Path("runs/demo")
ITEM = "WHITE HANGING HEART T-LIGHT HOLDER"
UNKNOWN = "AN ITEM NOBODY EVER SOLD"
SEEDS = (1, 2)
THROUGHPUT_S = 3.0
MIB = 2**20

Data = tuple[Events, Parts]
console = Console(highlight=False)


def main() -> int:
    """Tells the story; returns 0, or 2 if a part of it could not be done."""
    # torchrec's import makes torch warn of a rename that concerns neither of us.
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)
    began = time.monotonic()
    try:
        tell()
    except RecsysEmbedError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    console.print(
        f"\nThat was {time.monotonic() - began:.0f} seconds and {peak / 2**30:.2f} GiB at the most."
        f" All of it is in {OUTPUT}/. Look inside, or train something else:\n"
        f"  recsys-embed inspect {OUTPUT}/collisionless/snapshot\n"
        f"  recsys-serve --snapshot {OUTPUT}/collisionless/snapshot\n"
        f"  recsys-train {CONFIG} --set table.dim=32 --output runs/wider",
        soft_wrap=True,  # a command broken in two cannot be copied
    )
    return 0


def tell() -> None:
    """The chapters, in order."""
    config = load_config(CONFIG)
    data = read(config)
    tell_data(config, data)
    heading("2  DLRM on collisionless tables, once through the year")
    collisionless = run(config, "collisionless", data)
    tell_rows(collisionless)
    heading("4  The same model on hashed tables of the same memory")
    hashed_config = hashed_alike(config, tables_of(collisionless.model))
    tell_sharing(hashed_config, data, collisionless)
    hashed = run(hashed_config, "hashed", data)
    heading("5  Side by side, on the test part that neither has seen")
    tell_comparison(collisionless, hashed)
    tell_repeats(config, hashed_config, data, collisionless.test.auc - hashed.test.auc)
    tell_snapshot(collisionless)
    tell_serving(collisionless)
    tell_online(console, OUTPUT / "online")
    tell_retrieval(console, OUTPUT / "retrieval")


def heading(text: str) -> None:
    """Opens a chapter."""
    console.print()
    console.rule(text, align="left")


def run(config: RunConfig, name: str, data: Data) -> Result:
    """Trains, with progress, into a folder of its own."""
    result = train(config, fresh(name), data=data, reporter=for_terminal())
    console.print(
        f"{result.examples:,} examples in {result.seconds:.1f} s,"
        f" {result.examples_per_s:,.0f} examples/s; learning curve: {OUTPUT / name}/curve.png"
    )
    return result


def fresh(name: str) -> Path:
    """Gives a folder without the run of an earlier demo."""
    clear(OUTPUT / name)
    return OUTPUT / name


def tell_data(config: RunConfig, data: Data) -> None:
    """Says what happened in that shop, and what is to be learned."""
    events, parts = data
    heading("1  The data")
    console.print(
        f"A year of a British gift retailer (UCI Online Retail, CC BY 4.0):"
        f" {int(events.labels.sum()):,} purchases of known customers. For each, one item that was"
        f" on sale then and not in the basket: {len(events):,} events in the order of time. The"
        " model is to tell them apart."
    )
    table = table_of("part", "events", "from", "to")
    for name, part in zip(parts._fields, parts, strict=True):
        table.add_row(name, f"{len(part):,}", day(events, part[0]), day(events, part[-1]))
    console.print(table)
    table = table_of("feature", "distinct ids", "made of", "in table")
    for name, bags in events.bags.items():
        made_of = " x ".join(config.features[name].columns or (name,))
        table.add_row(name, f"{len(np.unique(bags.values)):,}", made_of, config.table_of(name))
    console.print(table)


def tell_rows(result: Result) -> None:
    """Says who was let in, who was kept out, and who was let go."""
    heading("3  Who has a row at the end")
    table = table_of("table", "rows", "admitted", "filtered", "expired", "MiB")
    for name, s in result.tables.items():
        counts = (s.rows, s.admitted, s.filtered, s.expired)
        table.add_row(name, *(f"{n:,}" for n in counts), f"{s.bytes / MIB:.1f}")
    console.print(table)
    console.print(
        "Every row belongs to one id. Filtered: occurrences of ids that had not earned a row yet"
        " (pair and taste ask for two). Expired: rows of seasons and customers gone by; who comes"
        " back is admitted anew."
    )


def tell_sharing(config: RunConfig, data: Data, other: Result) -> None:
    """Says how many ids will share their rows."""
    console.print(
        "A plain array needs no index, no counts and no times, so the same bytes give it more rows;"
        f" but all ids must fit into them. (Tables below {SMALL:,} rows stay as they are.)"
    )
    table = table_of("table", "ids", "hashed rows", "ids that share", "collisionless rows")
    for name, spec in config.tables.items():
        if isinstance(spec.row_map, Hashed):
            ids = np.concatenate([data[0].bags[f].values for f in config.features_of[name]])
            share = f"{sharing(spec.row_map, np.unique(ids)):.0%}"
            counts = (f"{len(np.unique(ids)):,}", f"{spec.row_map.rows:,}", share)
            table.add_row(name, *counts, f"{other.tables[name].rows:,}")
    console.print(table)


def tell_comparison(collisionless: Result, hashed: Result) -> None:
    """Puts the figures side by side."""
    table = table_of("tables", "AUC", "log loss", "norm. entropy", "calibration", "examples/s")
    for name, result in (("collisionless", collisionless), ("hashed", hashed)):
        figures = (f"{value:.4f}" for value in result.test[:4])
        table.add_row(name, *figures, f"{result.examples_per_s:,.0f}")
    console.print(table)


def tell_repeats(
    collisionless: RunConfig, hashed: RunConfig, data: Data, first_gain: float
) -> None:
    """Runs both again with other seeds, since one run of each could be luck; says who wins."""
    gains = [first_gain]
    for seed in SEEDS:
        ours, theirs = (
            train(replace(config, seed=seed), fresh("again"), data=data).test.auc
            for config in (collisionless, hashed)
        )
        console.print(f"again with seed {seed}: collisionless {ours:.4f}, hashed {theirs:.4f}")
        gains.append(ours - theirs)
    verdict = "ahead of" if np.mean(gains) > 0 else "behind"
    console.print(
        f"Over {len(gains)} seeds, collisionless tables are {abs(np.mean(gains)):.4f} AUC {verdict}"
        f" hashed ones (from {min(gains):+.4f} to {max(gains):+.4f})."
    )


def tell_snapshot(result: Result) -> None:
    """Says what was written."""
    heading("6  The snapshot")
    size = sum(file.stat().st_size for file in result.snapshot.rglob("*") if file.is_file())
    rows = sum(stats.rows for stats in result.tables.values())
    console.print(
        f"{rows:,} rows of {len(result.tables)} tables with their optimizer state, and the dense"
        f" layers: {size / MIB:.1f} MiB in {result.snapshot_s:.2f} s, at {result.snapshot}"
    )


def tell_serving(result: Result) -> None:
    """Starts the server on the snapshot, asks it by name, and compares bit for bit."""
    heading("7  The same rows over HTTP")
    item = tables_of(result.model)["item"]
    with Served("--snapshot", result.snapshot) as served:
        console.print(f"recsys-serve answers at {served.url} (in a process without torch).")
        answer = served.lookup("item", [ITEM, UNKNOWN])
        trained = item.lookup([hash_string(ITEM), hash_string(UNKNOWN)])
        console.print(f"POST /v1/tables/item/lookup  {{'ids': ['{ITEM}', '{UNKNOWN}']}}")
        for name, status, vector, row in zip(
            (ITEM, UNKNOWN), answer["status"], answer["vectors"], trained, strict=True
        ):
            first = ", ".join(f"{x:.6f}" for x in vector[:4])
            same = (
                "the same bits"
                if np.array(vector, np.float32).tobytes() == row.tobytes()
                else "OTHER"
            )
            console.print(f"  {name}: {status}, [{first}, …]: {same} as in the trainer's table")
        console.print("A missing id reads as what training would start it from.")
        rate = served.throughput(
            "item", [hash_string(ITEM), hash_string(UNKNOWN)], 100, THROUGHPUT_S
        )
        console.print(
            f"One client, 100 ids a request: {rate.requests_per_s:,.0f} requests/s,"
            f" {rate.vectors_per_s:,.0f} vectors/s."
        )


def sharing(row_map: Hashed, ids: NDArray[np.int64]) -> float:
    """Gives the share of the ids whose row is also another's."""
    _, inverse, counts = np.unique(
        row_map.map(ids).rows[0], return_inverse=True, return_counts=True
    )
    return float(np.mean(counts[inverse] > 1))


def day(events: Events, event: int) -> str:
    """Gives the date of an event."""
    assert events.times is not None
    return datetime.fromtimestamp(int(events.times[event]), UTC).strftime("%-d %B %Y")


def table_of(*columns: str) -> Table:
    """Makes a table whose first column is text."""
    table = Table()
    for k, name in enumerate(columns):
        table.add_column(name, justify="right" if k else "left")
    return table


if __name__ == "__main__":
    sys.exit(main())
