"""The folder of a run: what lies where, and that two runs never mix."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys_embed.errors import InputError

CHECKPOINTS, BEST, SNAPSHOT = "checkpoints", "best", "snapshot"
METRICS, SUMMARY, CURVE = "metrics.jsonl", "summary.json", "curve.png"
CONTENTS = (CHECKPOINTS, BEST, SNAPSHOT, METRICS, SUMMARY, CURVE)


class Folder:
    """Lays out a run's files under one path.

    Args:
        path: made if absent.
        resume: whether to go on with the run that is there.

    Raises:
        InputError: if it holds a run and `resume` is false.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        held = [name for name in CONTENTS if (path / name).exists()]
        if held and not resume:
            raise InputError(
                f"{path} already holds a run ({', '.join(held)}); --resume goes on with it,"
                " --overwrite starts anew, --output names another place"
            )
        path.mkdir(parents=True, exist_ok=True)
        self.checkpoints, self.best, self.snapshot = (
            path / CHECKPOINTS,
            path / BEST,
            path / SNAPSHOT,
        )
        self.metrics, self.summary, self.curve = path / METRICS, path / SUMMARY, path / CURVE

    def write_records(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Makes metrics.jsonl hold exactly these records, one a line."""
        self.metrics.write_text("".join(_line(record) for record in records))

    def append_record(self, record: Mapping[str, Any]) -> None:
        """Adds one record to metrics.jsonl."""
        with self.metrics.open("a") as file:
            file.write(_line(record))


def clear(path: Path) -> None:
    """Removes what a run leaves in its folder, and nothing else."""
    for name in CONTENTS:
        if (path / name).is_dir():
            shutil.rmtree(path / name)
        else:
            (path / name).unlink(missing_ok=True)


def to_json(value: Any) -> Any:
    """Turns what is not a number into null, which is all JSON has for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: to_json(v) for key, v in value.items()}
    return value


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(to_json(record)) + "\n"
