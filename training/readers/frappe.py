"""Frappe_x1 rebuilt: the app-usage log, the published validation and test files, fresh negatives.

The leaderboard's train file is not distributed with them, but its positives are exactly the log's
events that neither held-out file contains. Its negatives pair an event's user and context with an
app that the user never used, two a positive; here they are drawn anew from `seed`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.errors import InputError
from training.readers.libfm import parse_lines
from training.readers.paths import resolve

FIELDS = (
    "user",
    "item",
    "daytime",
    "weekday",
    "isweekend",
    "homework",
    "cost",
    "weather",
    "country",
    "city",
)
# First libFM index of each field in the published files; contexts are coded by first appearance.
OFFSETS = np.array((0, 957, 5039, 5046, 5053, 5055, 5058, 5060, 5069, 5149))
USERS, ITEMS, END = 957, 4082, 5382
TRAIN_NEGATIVES = 134_423


@dataclass(frozen=True)
class Frappe:
    """Reads frappe.csv, frappe.validation.libfm and frappe.test.libfm of a folder.

    Gives the ten FIELDS as libFM indices (int64), `label` and `part` ("train", "validation",
    "test"): 202,027 + 57,722 + 28,860 lines. With `texts` also `app`: name, category and
    description, from meta_short.tsv.

    Args:
        path: the folder.
        seed: of the train part's negatives.
        texts: whether to read what is written about the apps.
    """

    kind: ClassVar[str] = "frappe"
    path: str
    seed: int = 0
    texts: bool = False

    def read(self) -> pl.DataFrame:
        """Returns the three parts, one after another."""
        log = self._log()
        held_out = {part: self._held_out(part) for part in ("validation", "test")}
        positives = subtract(
            log, np.concatenate([e[labels > 0] for e, labels in held_out.values()])
        )
        negatives = draw_negatives(
            positives, log, TRAIN_NEGATIVES, np.random.default_rng(self.seed)
        )
        train = (
            np.concatenate([positives, negatives]),
            np.repeat([1.0, 0.0], [len(positives), len(negatives)]),
        )
        frame = pl.concat(
            [_frame(part, *rows) for part, rows in ({"train": train} | held_out).items()]
        )
        if not self.texts:
            return frame
        return frame.join(self._texts(), on="item", how="left", maintain_order="left")

    def _texts(self) -> pl.DataFrame:
        frame = pl.read_csv(
            resolve(f"{self.path}/meta_short.tsv"),
            separator="\t",
            infer_schema=False,
            quote_char=None,  # descriptions hold quotes
        )
        text = pl.concat_str("name", "category", "short desc", separator=" ", ignore_nulls=True)
        item = pl.col("item").cast(pl.Int64) + int(OFFSETS[1])
        return frame.select(item, text.alias("app"))

    def _log(self) -> NDArray[np.int64]:
        frame = pl.read_csv(resolve(f"{self.path}/frappe.csv"), separator="\t", infer_schema=False)
        codes = [frame[name].cast(pl.Int64).to_numpy() for name in FIELDS[:2]]
        codes += [codes_by_appearance(frame[name].to_numpy()) for name in FIELDS[2:]]
        return np.column_stack(codes) + OFFSETS

    def _held_out(self, part: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        path = resolve(f"{self.path}/frappe.{part}.libfm")
        labels, lengths, indices, _ = parse_lines(path)
        if np.any(lengths != len(FIELDS)):
            raise InputError(f"expected {len(FIELDS)} entries on every line of {path}")
        return indices.reshape(-1, len(FIELDS)), labels


def codes_by_appearance(values: NDArray[np.object_]) -> NDArray[np.int64]:
    """Numbers distinct values 0, 1, … in the order in which they first appear.

    Example:
        >>> codes_by_appearance(np.array(["b", "a", "b"])).tolist()
        [0, 1, 0]
    """
    _, first, inverse = np.unique(values.astype(str), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def subtract(events: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the multiset `events` without the lines of `taken`; of equal lines the last go.

    Raises:
        InputError: if a line of `taken` is not in `events` often enough.
    """
    lines, inverse = np.unique(np.concatenate([events, taken]), axis=0, return_inverse=True)
    ours, theirs = inverse[: len(events)], inverse[len(events) :]
    remaining = np.bincount(ours, minlength=len(lines)) - np.bincount(theirs, minlength=len(lines))
    if np.any(remaining < 0):
        raise InputError(
            f"{np.sum(remaining < 0)} held-out positives are not in the log;"
            " the files do not belong together"
        )
    return events[_occurrence(ours) < remaining[ours]]


def draw_negatives(
    positives: NDArray[np.int64], log: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Pairs the events, in turn, with `count` apps their user never used in the log, uniformly."""
    used = np.zeros((USERS, ITEMS), bool)
    used[log[:, 0], log[:, 1] - OFFSETS[1]] = True
    negatives = positives[np.arange(count) % len(positives)].copy()
    open_lines = np.arange(count)
    while open_lines.size:
        items = rng.integers(0, ITEMS, open_lines.size)
        negatives[open_lines, 1] = items + OFFSETS[1]
        open_lines = open_lines[used[negatives[open_lines, 0], items]]
    return negatives


def _occurrence(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts, for each position, the equal keys before it."""
    order = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys[order], keys[order], side="left")
    occurrence = np.empty(len(keys), np.int64)
    occurrence[order] = np.arange(len(keys)) - first
    return occurrence


def _frame(part: str, lines: NDArray[np.int64], labels: NDArray[np.floating]) -> pl.DataFrame:
    columns = {name: lines[:, k] for k, name in enumerate(FIELDS)}
    return pl.DataFrame(columns).with_columns(
        pl.Series("label", (labels > 0).astype(np.int8)), pl.lit(part).alias("part")
    )
