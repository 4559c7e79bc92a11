"""`recsys-embed` says what is in a snapshot, and whether it can be trusted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.cli import main
from recsys_embed.rules import FeatureRule
from recsys_embed.snapshot import write_snapshot
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import TableConfig
from recsys_embed.table_types import RowBlock
from tests.snapshot.making import saved

NOW = 1_700_000_000
AGES = [0, 59, 60, 3600, 86_399, 6 * 86_400, 29 * 86_400, 89 * 86_400, 364 * 86_400, 400 * 86_400]
COUNTS = [1, 1, 1, 2, 3, 4, 7, 8, 1000, 2**32 - 1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    features = (FeatureRule("shown", threshold=3), FeatureRule("bought", ttl_s=86_400))
    config = TableConfig.of("item", 4, features=features)
    table = CollisionlessTable(config)
    n = len(AGES)
    table.restore_rows(
        RowBlock(
            np.arange(n),
            np.zeros((n, 4), np.float32),
            np.zeros((n, config.state_width), np.float32),
            (NOW - np.array(AGES)).astype(np.uint32),
            np.array(COUNTS, np.uint32),
            (np.arange(n) // 7).astype(np.uint16),
            np.zeros(n, np.uint64),
        )
    )
    with table.cut() as cut:
        state = {"seq": 5, "counters": cut.counters, "admission": cut.admission}
    table.restore_meta(clock_s=NOW, **state)
    tables = {"item": table, "empty": CollisionlessTable(TableConfig.of("empty", 2))}
    write_snapshot(tmp_path, tables, dense={"w": np.zeros((2, 3))}, extra={"step": 12}, shards=2)
    return tmp_path


def damaged(directory: Path) -> Path:
    """A snapshot with one flipped bit, in the last tensor of a file."""
    (file,) = directory.glob("tables/item/rows-00001-*")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    return directory


def test_json_tells_rows_bytes_ages_and_counts(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    files = list((root / "snapshot-000000000001").rglob("*.safetensors"))
    assert found["bytes"] == sum(file.stat().st_size for file in files)
    assert (found["version"], found["number"], found["damage"]) == (2, 1, [])
    assert found["dense"] == {"w": "float64 [2, 3]"}
    assert found["extra"] == {"step": 12}
    item = found["tables"]["item"]
    assert (item["rows"], item["dim"], item["shards"], item["seq"]) == (10, 4, 2, 5)
    assert item["bytes"] == 10 * (8 + 4 * 4 + 4 * 1 + 4 + 4 + 2 + 8)
    assert item["config"]["features"][0]["threshold"] == 3
    assert item["features"] == {"shown": 7, "bought": 3}
    assert item["ages"] == {
        "under a minute": 2,
        "under an hour": 1,
        "under a day": 2,
        "under a week": 1,
        "under 30 days": 1,
        "under 90 days": 1,
        "under a year": 1,
        "a year or more": 1,
    }
    counts = {label: rows for label, rows in item["counts"].items() if rows}
    assert counts == {
        "1": 3,
        "2 to 3": 2,
        "4 to 7": 2,
        "8 to 15": 1,
        "512 to 1,023": 1,
        "2,147,483,648 to 4,294,967,295": 1,
    }
    assert found["tables"]["empty"]["rows"] == 0


def test_the_text_draws_the_fullest_bin_longest(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(root)]) == 0
    text = capsys.readouterr().out
    assert "checksums  all match" in text
    assert "table item: 10 rows of 4 weights and 1 optimizer floats" in text
    assert "clock 1700000000 (2023-11-14 22:13:20 UTC)" in text
    assert "bought: 3 rows, admitted at occurrence 1, expires after 86,400 s" in text
    assert "table empty: 0 rows" in text
    bars = {line.split("  ")[-1] for line in text.splitlines() if line.endswith(("█", "#"))}
    assert {len(bar) for bar in bars} == {13, 20, 27, 40}


def test_verify_is_content_with_what_was_written(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(root)]) == 0
    assert "all checksums match" in capsys.readouterr().out


def test_verify_names_the_damaged_tensor_and_fails(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(root / "snapshot-000000000001")
    assert main(["verify", str(root)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "tensor 'seq': expected the checksum" in said.err


def test_inspect_shows_a_damaged_snapshot_all_the_same_and_fails(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged(root / "snapshot-000000000001")
    assert main(["inspect", str(root)]) == 1
    text = capsys.readouterr().out
    assert "1 tensors are DAMAGED" in text
    assert "table item: 10 rows" in text
    assert main(["inspect", str(root), "--no-verify"]) == 0
    assert "checksums  not compared" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_what_cannot_be_read_is_one_sentence_and_status_1(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path)
    next(path.rglob("rows-00001-*")).write_bytes(b"")
    assert main([command, str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("recsys-embed: ")
    assert line.endswith("bytes, found 0")


@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "--help"], ["verify", "--help"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "snapshot" in capsys.readouterr().out


def test_a_reader_that_has_seen_enough_gets_no_traceback(root: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "recsys_embed.cli", "inspect", str(root)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_a_command_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
