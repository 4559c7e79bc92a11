"""The online loop learns each event once, as from a file, and publishes all of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_embed.deltas import decode
from recsys_embed.errors import ConfigError, InputError, WriterHeldError
from recsys_embed.snapshot import open_snapshot
from recsys_embed.snapshot.directories import held
from tests.online import runs
from training.config import from_values
from training.online.folder import OnlineFolder
from training.online.running import Figures
from training.online.watching import Quiet
from training.train import train


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return runs.write_config(tmp_path)


def test_every_event_is_learned_once(tmp_path: Path) -> None:
    path = runs.write_config(tmp_path, ttl_days=1000.0)
    frame = pl.read_parquet(tmp_path / "log.parquet")
    status = runs.run(runs.config_of(path), tmp_path / "run")
    tables = runs.trained(tmp_path / "run")
    for column in ("user", "item"):
        assert runs.counted(tables[column]) == runs.occurrences(frame, column)
        for block in tables[column].rows():  # nor is the model one that cannot learn
            assert (block.weights != tables[column].initial_values(block.ids)).any(axis=1).all()
    clicked = int(frame["clicked"].sum())
    assert (status.trained, status.records) == (len(frame), len(frame) + clicked)
    assert (status.joined, status.missing, status.late) == (clicked, len(frame) - clicked, 0)


def test_whole_events_are_learned_as_from_a_file(tmp_path: Path) -> None:
    """The same batches in the same order: the other path to the same bits is `recsys-train`."""
    path = runs.write_config(tmp_path, outcome="")
    config = runs.config_of(path)
    runs.run(config, tmp_path / "run")
    plain = {
        "name": "planted",
        "seed": 3,
        "data": {"kind": "log", "path": str(tmp_path / "log.parquet")},
        "events": {"time": "when", "label": "clicked"},
        "split": {"kind": "time", "test": 0.0, "validation": 0.0},
        "features": {"user": {}, "item": {"ttl_days": 0.01}},
        "table": {"dim": 4, "lr": 0.1},
        "model": {"kind": "dnn", "hidden": [8]},
        "train": {"batch_size": runs.BATCH, "threads": 1, "expire_every": 5},
    }
    result = train(from_values(plain), tmp_path / "file")
    snapshot = open_snapshot(OnlineFolder(tmp_path / "run").snapshots)
    online, file = snapshot.tables, result.model.collection.tables
    assert {n: len(t) for n, t in file.items()}["item"] < 150  # some have expired
    for name, parameter in result.model.net.state_dict().items():
        assert snapshot.dense[f"net.{name}"].tobytes() == parameter.numpy().tobytes()
    for name, table in file.items():
        table.expire()  # as `train` does at the end, before it saves
        restored = online[name].restore()
        restored.expire()
        assert runs.rows_of(restored) == runs.rows_of(table)


def test_a_snapshot_and_the_entries_behind_it_are_the_trainers_tables(
    tmp_path: Path, path: Path
) -> None:
    output = tmp_path / "run"
    slowly = {"speed": 4_000}  # so that there is time for some entries
    status = runs.run(runs.config_of(path, source=slowly, snapshot={"every_s": 1e6}), output)
    snapshots = sorted(OnlineFolder(output).snapshots.glob("snapshot-*"))
    assert len(snapshots) == 2 and status.entries > 2 and status.expired > 50
    first, last = (open_snapshot(p).extra["log"] for p in snapshots)
    assert (first["number"], last["number"]) == (0, status.entry)
    runs.same(runs.replayed(runs.log_of(output), snapshots[0]), runs.trained(output))


def test_each_snapshot_is_the_state_at_its_entry(tmp_path: Path, path: Path) -> None:
    output = tmp_path / "run"
    snapshot = {"keep": 100, "every_s": 0.05}
    runs.run(runs.config_of(path, source={"speed": 4_000}, snapshot=snapshot), output)
    snapshots = sorted(OnlineFolder(output).snapshots.glob("snapshot-*"))
    assert len(snapshots) > 2
    head, log = runs.trained(output), runs.log_of(output)
    kept = [p for p in snapshots if open_snapshot(p).extra["log"]["number"] >= log.head().trimmed]
    assert len(kept) >= 2
    for snapshot in kept:
        runs.same(runs.replayed(log, snapshot), head)


@pytest.mark.parametrize("stops", [[700], [64, 65, 1_500, 2_999]])
def test_a_run_that_stops_and_goes_on_is_one_that_never_stopped(
    tmp_path: Path, path: Path, stops: list[int]
) -> None:
    config = runs.config_of(path)
    runs.run(config, tmp_path / "whole")
    for stop in stops:
        assert runs.run(config, tmp_path / "parts", max_events=stop).trained >= stop
    status = runs.run(config, tmp_path / "parts")
    runs.same(runs.trained(tmp_path / "parts"), runs.trained(tmp_path / "whole"))
    assert status.trained == runs.EVENTS
    assert status.lineage == runs.log_of(tmp_path / "parts").head().lineage
    figures = [
        (tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("parts", "whole")
    ]
    last = [json.loads(lines[-1]) for lines in figures]
    assert last[0]["trained"] == last[1]["trained"] == runs.EVENTS


def test_events_that_waited_for_their_batch_wait_on_after_a_restart(
    tmp_path: Path, path: Path
) -> None:
    config = runs.config_of(path, source={"speed": 8_000}, train={"wait_s": 1e6})
    for stop in (300, 700, None):
        runs.run(config, tmp_path / "slowly", max_events=stop)
    runs.run(runs.config_of(path), tmp_path / "whole")
    runs.same(runs.trained(tmp_path / "slowly"), runs.trained(tmp_path / "whole"))


def test_going_on_reads_the_entries_behind_the_snapshot(tmp_path: Path, path: Path) -> None:
    config, output = runs.config_of(path, snapshot={"every_s": 1e6}), tmp_path / "run"
    runs.run(config, output, max_events=1_000)
    folder = OnlineFolder(output)
    for snapshot in sorted(folder.snapshots.glob("snapshot-*"))[1:]:  # all but the very first
        shutil.rmtree(snapshot)
    before = runs.log_of(output).head()
    runs.run(config, output)
    runs.run(config, tmp_path / "whole")
    runs.same(runs.trained(output), runs.trained(tmp_path / "whole"))
    assert runs.log_of(output).head().lineage == before.lineage


def test_from_an_older_snapshot_it_forks(tmp_path: Path, path: Path) -> None:
    config, output = runs.config_of(path, snapshot={"every_s": 1e6}), tmp_path / "run"
    runs.run(config, output, max_events=1_000)
    folder = OnlineFolder(output)
    before = runs.log_of(output).head()
    runs.run(config, output, start=sorted(folder.snapshots.glob("snapshot-*"))[0])
    after = runs.log_of(output).head()
    assert after.lineage != before.lineage
    runs.run(config, tmp_path / "whole")
    runs.same(runs.trained(output), runs.trained(tmp_path / "whole"))


def test_without_the_head_it_forks_from_the_newest_snapshot(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, output = runs.config_of(path, snapshot={"every_s": 1e6}), tmp_path / "run"
    runs.run(config, output, max_events=1_000)
    folder = OnlineFolder(output)
    newest, before = folder.newest_snapshot(), runs.log_of(output).head()
    assert newest is not None
    shutil.rmtree(newest)
    for head in folder.heads.iterdir():
        head.write_bytes(head.read_bytes()[:-1])
    runs.run(config, output)
    assert "as a fork" in caplog.text and "has no head" in caplog.text
    after = runs.log_of(output).head()
    assert after.lineage != before.lineage
    runs.run(config, tmp_path / "whole")
    runs.same(runs.trained(output), runs.trained(tmp_path / "whole"))


def test_rows_that_serving_reads_go_out_in_the_codec_asked_for(tmp_path: Path, path: Path) -> None:
    output = tmp_path / "run"
    publish = {"codec": "int8", "state": False, "every_rows": 500, "every_s": 1e6}
    config = runs.config_of(path, publish=publish, snapshot={"every_s": 1e6})
    assert runs.run(config, output).entries > 1
    log = runs.log_of(output)
    deltas = [decode(e.data) for e in log.read(0, lineage=log.head().lineage)]
    assert {t.codec for d in deltas for t in d.tables.values()} == {"int8"}
    assert all(t.training is None for d in deltas for t in d.tables.values())
    assert not list(OnlineFolder(output).heads.iterdir())


def test_dense_layers_go_out_on_their_own_schedule(tmp_path: Path, path: Path) -> None:
    for every_s, share in ((1e6, 0.0), (1e-6, 1.0)):
        output = tmp_path / f"run-{share}"
        publish = {"dense_every_s": every_s}
        runs.run(runs.config_of(path, publish=publish, snapshot={"every_s": 1e6}), output)
        log = runs.log_of(output)
        deltas = [decode(e.data) for e in log.read(0, lineage=log.head().lineage)]
        held = [bool(d.dense) for d in deltas[:-1]]
        assert held and np.mean(held) == share
        final = open_snapshot(OnlineFolder(output).snapshots)
        assert deltas[-1].dense  # at the end, always
        for name, array in deltas[-1].dense.items():
            assert array.tobytes() == final.dense[name].tobytes()


def test_another_config_is_refused(tmp_path: Path, path: Path) -> None:
    output = tmp_path / "run"
    runs.run(runs.config_of(path), output, max_events=200)
    with pytest.raises(
        ConfigError, match="other values of seed, join.window_s; go on with the same"
    ):
        other = runs.config_of(path, join={"window_s": 41})
        runs.run(type(other)(**{**vars(other), "seed": 4}), output)
    runs.run(runs.config_of(path, train={"lr": 0.5}), output)  # rates may change


def test_the_log_of_another_run_is_refused(tmp_path: Path, path: Path) -> None:
    config = runs.config_of(path, publish={"log": str(tmp_path / "log")})
    runs.run(config, tmp_path / "one", max_events=200)
    with pytest.raises(InputError, match="is another run's.* --anew"):
        runs.run(config, tmp_path / "two")
    assert not list((tmp_path / "two").glob("snapshots/*"))
    runs.run(config, tmp_path / "two", anew=True)
    with pytest.raises(InputError, match="is another run's"):
        runs.run(config, tmp_path / "one")


def test_two_trainers_never_share_a_folder_or_a_log(tmp_path: Path, path: Path) -> None:
    config = runs.config_of(path, publish={"lease_s": 0.1})
    output = tmp_path / "run"
    output.mkdir()
    with held(output, AssertionError()), pytest.raises(InputError, match="another trainer runs in"):
        runs.run(config, output)
    runs.run(config, output, max_events=200)
    log = runs.log_of(output)
    snapshots = list(OnlineFolder(output).snapshots.glob("snapshot-*"))
    from recsys_embed.delta_log import Base

    head = log.head()
    base = Base(head.number, "theirs")
    with log.open_writer(head.lineage, base=base), pytest.raises(WriterHeldError):
        runs.run(config, output)
    assert list(OnlineFolder(output).snapshots.glob("snapshot-*")) == snapshots


def test_sampled_negatives_leave_predictions_calibrated(tmp_path: Path) -> None:
    path = runs.write_config(tmp_path, events=20_000, outcome="", every_s=10.0)
    config = runs.config_of(path, negatives={"rate": 0.2}, train={"lr": 0.02})
    status = runs.run(config, tmp_path / "run")
    frame = pl.read_parquet(tmp_path / "log.parquet")
    negatives = len(frame) - int(frame["clicked"].sum())
    assert status.left_out == pytest.approx(0.8 * negatives, rel=0.03)
    assert status.trained + status.left_out == len(frame)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    late = [json.loads(line)["calibration"] for line in lines][-4:]
    assert np.mean(late) == pytest.approx(1.0, abs=0.05)  # without the offset: 1.8


def test_figures_that_a_full_disk_does_not_take_come_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    figures = Figures(path, 0, Quiet())
    figures.record({"trained": 1})
    path.rename(tmp_path / "kept")
    path.symlink_to("/dev/full")
    figures.record({"trained": 2})
    assert "No space left on device" in caplog.text
    (tmp_path / "kept").rename(path)
    figures.record({"trained": 3})
    assert [json.loads(line)["trained"] for line in path.read_text().splitlines()] == [1, 2, 3]
