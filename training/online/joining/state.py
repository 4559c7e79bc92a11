"""A joiner's state as arrays, and back."""

import io
from dataclasses import astuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.online.joining.payload import Payload
from training.online.joining.waiting import Counts, Waiting
from training.online.records import OF_RECORD

State = dict[str, NDArray[np.generic]]
OUTCOME = {name: OF_RECORD[name] for name in ("key", "time", "label")}


def dump(waiting: Waiting, payload: Payload, schema: pl.Schema | None, seen: int) -> State:
    """Gives the state: waiting impressions and outcomes as Arrow IPC files, in bytes."""
    numbers = np.sort(np.fromiter(waiting.impressions.values(), np.int64))
    frame = pl.concat([pl.DataFrame(schema=schema), *payload.rows(numbers)])
    lines = [(key, *outcome) for key, outcome in waiting.outcomes.items()]
    return {
        "impressions": _bytes_of(frame),
        "numbers": numbers,
        "outcomes": _bytes_of(pl.DataFrame(lines, schema=OUTCOME, orient="row")),
        "counts": np.array([seen, *astuple(waiting.counts)], np.int64),
        "watermark": np.array([waiting.watermark]),
    }


def load(state: State, waiting: Waiting) -> tuple[int, pl.DataFrame, NDArray[np.int64]]:
    """Fills `waiting`; gives how many records were seen, those that wait, and their numbers."""
    frame, numbers = _frame_of(state["impressions"]), state["numbers"].astype(np.int64)
    if frame.width:  # else nothing was ever seen
        for key, time, number in zip(frame["key"], frame["time"], numbers.tolist(), strict=True):
            waiting.wait(key, time, number)
    for key, time, label in _frame_of(state["outcomes"]).iter_rows():
        waiting.wait_for(key, time, label)
    seen, *counts = state["counts"].tolist()
    waiting.counts = Counts(*counts)
    waiting.watermark = float(state["watermark"][0])
    return seen, frame, numbers


def _bytes_of(frame: pl.DataFrame) -> NDArray[np.uint8]:
    file = io.BytesIO()
    frame.write_ipc(file)
    return np.frombuffer(file.getvalue(), np.uint8)


def _frame_of(data: NDArray[np.generic]) -> pl.DataFrame:
    return pl.read_ipc(data.tobytes())
