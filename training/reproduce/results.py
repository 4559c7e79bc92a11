"""The folder of a reproduction: each run's outcome as it comes, and what they are together."""

import json
import math
import platform
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from recsys_embed.config import to_dict
from recsys_embed.errors import InputError
from training.folder import to_json
from training.reproduce.experiment import Claim, Experiment, Outcome, Row, Rows

RUNS, RESULT, PICTURE = "runs.jsonl", "result.json", "result.png"


class Results:
    """Keeps the outcomes of one config, so that an interrupted reproduction can go on.

    Args:
        folder: made if absent.
        experiment: whose outcomes they are.
        resume: whether to go on with those that are there.
        overwrite: whether to remove them.

    Raises:
        InputError: if there are outcomes and neither is true, or they are of another config.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, *, resume: bool = False, overwrite: bool = False
    ) -> None:
        self.folder, self._experiment = folder, experiment
        self._file = folder / RUNS
        self._config = to_json(to_dict(experiment))
        self.outcomes: dict[tuple[str, int], Outcome] = {}
        if overwrite:
            for name in (RUNS, RESULT, PICTURE):
                (folder / name).unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        if self._file.exists() and not resume:
            raise InputError(
                f"{folder} already holds a reproduction; --resume goes on with it, --overwrite"
                " starts anew, --output names another place"
            )
        if self._file.exists():
            self._read()
        else:
            self._append({"config": self._config})

    def add(self, case: str, seed: int, outcome: Outcome) -> None:
        """Keeps an outcome, on disk as well."""
        self.outcomes[case, seed] = outcome
        self._append({"case": case, "seed": seed, **outcome._asdict()})

    def rows(self) -> Rows:
        """Puts the outcomes of each case together, cases in the order of the experiment."""
        grouped: dict[str, list[Outcome]] = {case: [] for case in self._experiment.cases}
        for (case, _), outcome in sorted(self.outcomes.items(), key=lambda kept: kept[0][1]):
            grouped[case].append(outcome)
        published = self._experiment.published
        return {
            case: Row(case, outcomes, published.get(case, {}))
            for case, outcomes in grouped.items()
            if outcomes
        }

    def write(self, rows: Rows, claims: list[Claim], seconds: float) -> None:
        """Writes result.json and, if there is something to draw, result.png."""
        result = {
            "name": self._experiment.kind,
            "date": date.today().isoformat(),
            "machine": platform.processor() or platform.machine(),
            "seconds": round(seconds, 1),
            "claims": [{"text": c.text, "obtained": c.obtained, "met": c.is_met} for c in claims],
            "cases": {case: self._summary(row) for case, row in rows.items()},
            "config": self._config,
        }
        (self.folder / RESULT).write_text(json.dumps(_to_json(result), indent=1) + "\n")
        self._experiment.draw(rows, self.folder / PICTURE)

    def _summary(self, row: Row) -> Mapping[str, Any]:
        return {
            "published": dict(row.published),
            "rows": row.rows,
            "parameters": row.parameters,
            "metrics": {
                name: {"mean": row.mean(name), "std": row.std(name), "runs": row.values(name)}
                for name in row.outcomes[0].metrics
            },
            "chosen": [dict(outcome.chosen) for outcome in row.outcomes],
        }

    def _read(self) -> None:
        first, *lines = (json.loads(line) for line in self._file.read_text().splitlines())
        if first != json.loads(json.dumps({"config": self._config})):
            raise InputError(
                f"{self._file} holds outcomes of another config; --overwrite removes them,"
                " --output names another place"
            )
        for line in lines:
            case, seed = line.pop("case"), line.pop("seed")
            metrics = {n: math.nan if v is None else v for n, v in line.pop("metrics").items()}
            self.outcomes[case, seed] = Outcome(metrics, **line)

    def _append(self, values: Mapping[str, Any]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(_to_json(values)) + "\n")


def _to_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_to_json(v) for v in value]
    if isinstance(value, Mapping):
        return {key: _to_json(v) for key, v in value.items()}
    return to_json(value)
