"""Tables that change at random, and deltas of them."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from recsys_embed import Admission, Budget, CollisionlessTable, FeatureRule, TableConfig
from recsys_embed.deltas import Delta
from recsys_embed.optimizers import SGD, Adagrad, Adam, Optimizer
from recsys_embed.snapshot import open_snapshot, write_snapshot
from tests.table.drawing import IDS
from tests.table.making import counters, dump, int64s

LINEAGE = "3d5e7b5c-6f0e-4a3b-9a52-0d2b7c9b1f10"
BATCH = st.lists(IDS, max_size=6).map(lambda ids: int64s(*ids))
KINDS = ["train", "train", "step", "apply", "assign", "evict", "expire", "budget", "compact"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), BATCH, st.integers(0, 6)), max_size=12)


def config(
    admission: Admission | None = None,
    budget: int | None = None,
    optimizer: Optimizer | None = None,
    **rest: Any,
) -> TableConfig:
    """Two features that admit late and expire soon; sweeps examine all or nothing."""
    return TableConfig.of(
        "item",
        3,
        optimizer=optimizer or Adam(),
        features=(FeatureRule("a", 2, ttl_s=9), FeatureRule("b", 3, ttl_s=20)),
        admission=admission or Admission(),
        budget=Budget(max_rows=budget) if budget else None,
        **{"sweep_rows": 0, **rest},
    )


CONFIGS = st.sampled_from(
    [
        config(),
        config(budget=4, optimizer=SGD()),
        config(Admission("sketch", width=8, depth=2), sweep_rows=1 << 20),
        config(Admission("probabilistic", probability=0.5), optimizer=Adagrad()),
    ]
)


def walk(table: CollisionlessTable, steps: Any, start: int) -> int:
    """Takes drawn steps; returns the time at their end."""
    now = start
    for kind, ids, passed in steps:
        now += passed
        ones = np.ones((len(ids), 3), np.float32)
        match kind:
            case "train":
                table.train_lookup(ids, time=now, feature=passed % 2)
            case "step":
                table.apply_gradients(table.train_lookup(ids, time=now).rows, ones, lr=0.5)
            case "apply":
                table.apply_gradients(ids, ones, lr=0.25)
            case "assign":
                table.assign(ids, ones * now, time=now)
            case "evict":
                table.evict(ids)
            case "expire":
                table.expire(now)
            case "budget":
                table.enforce_budget()
            case "compact":
                table.compact()
    return now


def waiting(table: CollisionlessTable) -> Any:
    """The admission state, in an order of its own."""
    with table.cut() as cut:
        held = {name: array.tolist() for name, array in cut.admission.items()}
        ordered = "ids" in held
        return sorted(zip(*held.values(), strict=True)) if ordered else (held, table.seq)


def everything(table: CollisionlessTable) -> Any:
    """All that a table holds and knows, for comparison bit for bit."""
    with table.cut() as cut:
        moment = cut.seq, cut.clock_s, cut.counters
    return dump(table), moment, waiting(table), counters(table)


def restored(table: CollisionlessTable, root: Any) -> CollisionlessTable:
    """The table as a snapshot of it gives it back."""
    return open_snapshot(write_snapshot(root, {"item": table})).tables["item"].restore()


def delta_of(table: CollisionlessTable, since: int, number: int = 1, **options: Any) -> Delta:
    """What changed in a table called item."""
    with table.changes(since, admission=options.get("state", False)) as changes:
        given = {"lineage": LINEAGE, "number": number, "created_s": 1.5, **options}
        return Delta.of({"item": changes}, **given)


def planted(n: int, since: int = 0, dim: int = 3, **options: Any) -> Delta:
    """A delta of n rows and n tombstones with values that follow from the ids."""
    table = CollisionlessTable(TableConfig.of("item", dim))
    table.track_changes()
    ids: NDArray[np.int64] = np.arange(2 * n)
    table.assign(ids, (ids[:, None] - np.arange(dim) / 8).astype(np.float32))
    table.evict(ids[n:])
    return delta_of(table, since, **options)
