"""What goes wrong twice, or at the worst moment, is still told apart and survived."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_embed.delta_log import open_log
from recsys_embed.errors import ConfigError, InputError, LogUnavailableError, SnapshotError
from tests.online import runs
from training.online import chain, publishing
from training.online.folder import OnlineFolder
from training.online.publishing import Publisher
from training.online.records import Chunk
from training.online.sources import Replay

NEVER = {"every_s": 1e6}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return runs.write_config(tmp_path)


def test_a_log_that_is_lost_while_a_snapshot_is_written_begins_anew(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, save = tmp_path / "run", publishing.save

    def slowly(*given: Any) -> Path:
        OnlineFolder(output).log.rename(tmp_path / f"lost-{time.monotonic_ns()}")
        time.sleep(0.3)
        return save(*given)

    config = runs.config_of(path, source={"speed": 3_000}, snapshot={"every_s": 0.4})
    monkeypatch.setattr(publishing, "save", slowly)
    status = runs.run(config, output)
    assert status.trained == runs.EVENTS
    log = runs.log_of(output)
    newest = OnlineFolder(output).newest_snapshot()
    assert newest is not None and log.head().base.snapshot == str(newest)
    runs.same(runs.replayed(log, newest), runs.trained(output))


def test_forks_that_never_took_the_log_are_followed_by_one_that_does(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    config = runs.config_of(path, publish={"codec": "int8", "state": False}, snapshot=NEVER)
    runs.run(config, output, max_events=500)
    lineage, rmtree = runs.log_of(output).head().lineage, shutil.rmtree
    newest = OnlineFolder(output).newest_snapshot()
    assert newest is not None
    rmtree(newest)  # so that the next run must go back, to the very first
    for _ in range(2):
        with monkeypatch.context() as killed:  # between the snapshot and the log
            killed.setattr(chain, "until_reached", _raise(KeyboardInterrupt()))
            killed.setattr(shutil, "rmtree", lambda path: None)
            with pytest.raises(KeyboardInterrupt):
                runs.run(config, output)
    assert len(list(OnlineFolder(output).snapshots.iterdir())) >= 3
    assert runs.log_of(output).head().lineage == lineage
    assert runs.run(config, output).trained == runs.EVENTS
    assert runs.log_of(output).head().lineage != lineage


def test_one_can_go_back_to_the_same_snapshot_again(tmp_path: Path, path: Path) -> None:
    config, output = runs.config_of(path, snapshot={"keep": 100, "every_s": 1e6}), tmp_path / "run"
    runs.run(config, output, max_events=700)
    first = sorted(OnlineFolder(output).snapshots.iterdir())[0]
    for _ in range(2):
        assert runs.run(config, output, start=first).trained == runs.EVENTS
    runs.run(config, tmp_path / "whole")
    runs.same(runs.trained(output), runs.trained(tmp_path / "whole"))


def test_what_records_there_are_must_not_change_while_they_are_counted(
    tmp_path: Path, path: Path
) -> None:
    output, middle = tmp_path / "run", 1_320_192_000 + 1_500
    runs.run(runs.config_of(path, source={"stop": middle}), output)
    with pytest.raises(ConfigError, match=r"other values of source\.stop"):
        runs.run(runs.config_of(path), output)
    whole = runs.write_config(tmp_path, outcome="")
    runs.run(runs.config_of(whole, source={"stop": middle}), tmp_path / "events")
    assert runs.run(runs.config_of(whole), tmp_path / "events").trained == runs.EVENTS


class Given:
    """A source of records that are given."""

    malformed, trouble = 0, None

    def __init__(self, records: pl.DataFrame) -> None:
        self._chunks = [Chunk(records, {"records": len(records)})]

    @property
    def is_done(self) -> bool:
        return not self._chunks

    def read(self, max_records: int, wait_s: float) -> Chunk:
        return self._chunks.pop()

    def seek(self, offset: object) -> None: ...
    def forget(self, offset: object) -> None: ...
    def close(self) -> None: ...

    def lag(self) -> int:
        return len(self._chunks)


def test_a_number_that_is_none_is_passed_over_and_counted(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = np.arange(500) % 50
    records = pl.DataFrame(
        {
            "type": ["event"] * 500,
            "key": [str(k) for k in range(500)],
            "time": np.arange(500) + 1_320_192_000.0,
            "label": pl.Series(n % 2, dtype=pl.Float32),
            "user": n,
            "item": n,
            "n": n,
            "price": [1e38] * 500,
        }
    )
    config = runs.config_of(
        path,
        derive={"unit": "price / n", "large": "price * n"},
        dense={"columns": ["price", "unit", "large"], "transform": "log1p"},
    )
    monkeypatch.setattr(Replay, "open", lambda *given: Given(records))
    status = runs.run(config, tmp_path / "run")
    # n = 0 divides by nothing; from n = 4 on, price * n is beyond 32 bits
    assert (status.trained, status.unusable) == (30, 470)


def test_nothing_is_removed_before_all_that_can_be_refused_has_been(
    tmp_path: Path, path: Path
) -> None:
    output = tmp_path / "run"
    runs.run(runs.config_of(path), output, max_events=300)
    before = sorted(output.rglob("*"))
    with pytest.raises(InputError, match="nowhere"):
        wrong = {"data": {"kind": "log", "path": str(tmp_path / "nowhere.parquet")}}
        runs.run(runs.config_of(path, source=wrong), output, anew=True)
    assert sorted(output.rglob("*")) == before


def test_a_finished_run_that_is_begun_again_writes_nothing(tmp_path: Path, path: Path) -> None:
    config, output = runs.config_of(path), tmp_path / "run"
    runs.run(config, output)
    files, head = sorted(output.rglob("*[!k]")), runs.log_of(output).head().number  # but locks
    status = runs.run(config, output)
    assert (status.trained, status.entries) == (runs.EVENTS, 0)
    assert sorted(output.rglob("*[!k]")) == files and runs.log_of(output).head().number == head


def test_a_last_snapshot_that_fails_is_no_success(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "save", _raise(SnapshotError("no room")))
    with pytest.raises(SnapshotError, match="no room"):
        runs.run(runs.config_of(path, snapshot=NEVER), tmp_path / "run")
    monkeypatch.undo()
    runs.run(runs.config_of(path, snapshot=NEVER), tmp_path / "run")
    runs.run(runs.config_of(path), tmp_path / "whole")
    runs.same(runs.trained(tmp_path / "run"), runs.trained(tmp_path / "whole"))


def test_while_an_entry_is_on_its_way_nothing_is_due(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    due: list[float] = []
    hand_over = Publisher._hand_over

    def and_ask(self: Publisher, with_snapshot: bool) -> None:
        hand_over(self, with_snapshot)
        due.append(self.due_s())

    monkeypatch.setattr(Publisher, "_hand_over", and_ask)
    runs.run(runs.config_of(path), tmp_path / "run")
    assert due and set(due) == {float("inf")}


def test_a_log_that_stays_away_at_the_end_is_told_with_how_to_go_on(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "STOP_S", 0.2)
    config, output = runs.config_of(path, snapshot=NEVER), tmp_path / "run"
    with monkeypatch.context() as away:
        failing = _raise(LogUnavailableError("the server is away"))
        away.setattr("recsys_embed.delta_log.writer.Writer.append", failing)
        with pytest.raises(LogUnavailableError, match="is away"):
            runs.run(config, output)
    assert runs.run(config, output).trained == runs.EVENTS
    runs.run(config, tmp_path / "whole")
    runs.same(runs.trained(output), runs.trained(tmp_path / "whole"))


def test_lines_of_figures_that_a_crash_has_cut_are_dropped(tmp_path: Path, path: Path) -> None:
    config, output = runs.config_of(path), tmp_path / "run"
    runs.run(config, output)
    whole = (output / "metrics.jsonl").read_text()
    with (output / "metrics.jsonl").open("a") as file:
        file.write('7\n{"trained": 99999}\n{"trai')
    runs.run(config, output)
    assert (output / "metrics.jsonl").read_text() == whole
    assert json.loads(whole.splitlines()[-1])["trained"] == runs.EVENTS


def _raise(error: BaseException) -> Any:
    def fail(*given: Any, **named: Any) -> Any:
        raise error

    return fail


def test_the_log_named_in_the_config_is_the_one_written(tmp_path: Path, path: Path) -> None:
    place = tmp_path / "elsewhere"
    runs.run(runs.config_of(path, publish={"log": str(place)}), tmp_path / "run")
    assert open_log(place).head().number > 0
    assert not (tmp_path / "run" / "log").exists()
