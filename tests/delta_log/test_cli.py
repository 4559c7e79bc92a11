"""`recsys-embed log` says what a log holds and who is how far behind."""

import json
import time
from pathlib import Path

import pytest

from recsys_embed.cli import main
from recsys_embed.delta_log import open_log
from tests.delta_log.places import LINEAGE, OTHER, Directories, Place, base, fill

NOW = 1_700_000_000.0


@pytest.fixture
def where(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log of 14 entries written ten seconds apart, three of them trimmed, and its replicas."""
    where = place.new()
    log = open_log(where)
    with log.open_writer(LINEAGE) as writer:
        for number in range(1, 15):
            monkeypatch.setattr(time, "time", lambda s=NOW + 10 * number: s)
            fill(writer, number)
        writer.trim(3, base(8))
    monkeypatch.setattr(time, "time", lambda: NOW + 150)
    log.acknowledge("near", 14, lineage=LINEAGE)
    log.acknowledge("far", 4, lineage=LINEAGE)
    log.acknowledge("lost", 4, lineage=OTHER)
    log.close()
    return where


@pytest.mark.parametrize("options", [[], ["--verify"]])
def test_json_tells_entries_replicas_and_lag(
    where: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", where, "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lineage"], found["number"], found["trimmed"]) == (LINEAGE, 14, 3)
    assert found["base"] == {"number": 8, "snapshot": "snapshot-000000000008"}
    assert (found["token"], found["damage"], found["bytes"]) == (1, None, 11 * 50)
    assert [entry["number"] for entry in found["entries"]] == list(range(4, 15))
    assert found["entries"][0] == {
        "number": 4,
        "prev": 3,
        "bytes": 50,
        "token": 1,
        "created": "2023-11-14 22:14:00 UTC",
        "age_s": 110.0,
    }
    lags = {name: (r["lag_entries"], r["lag_s"]) for name, r in found["replicas"].items()}
    assert lags == {"near": (0, 0.0), "far": (10, 100.0), "lost": (None, None)}


def test_the_text_tells_it_to_people(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", where]) == 0
    text = capsys.readouterr().out
    for sentence in (
        f"lineage    {LINEAGE}",
        "head       entry 14, snapshot snapshot-000000000008 covers up to entry 8",
        "entries    11 of 550 bytes; those up to 3 are trimmed",
        "with token 1",
        "...  1 older, which --json lists",
        "  14               50       1  2023-11-14 22:15:40 UTC, 10 s ago",
        "near               14       0  0.0 s, heard 2023-11-14 22:15:50 UTC",
        "far                4      10  100 s, heard",
        f"lost                4       ?  of lineage {OTHER}: must begin from a snapshot",
    ):
        assert sentence in text
    assert "\n             4 " not in text  # shortened


def test_damage_is_shown_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Directories(folder)
    log = place.filled(5)
    raw = place.raw(log)
    place.rewrite(log, [(n, data[:-1] + b"~" if n == 3 else data) for n, data in raw])
    assert main(["log", str(log)]) == 0  # frames alone are read
    assert main(["log", str(log), "--verify"]) == 1
    text = capsys.readouterr().out
    assert "  DAMAGED    entry 3 of" in text
    place.rewrite(log, [(n, b"~" + data[1:] if n == 3 else data) for n, data in raw])
    assert main(["log", str(log), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [entry["number"] for entry in found["entries"]] == [1, 2]


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("/nowhere/log", "holds no delta log"),
        ("redis://127.0.0.1:1/shop", "may be made again"),
        ("redis://127.0.0.1:6379", "expected the name of a log at the end"),
        ("redis://127.0.0.1:6379/0", "like redis://127.0.0.1:6379/0/shop"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_status_1(
    where: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", where]) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("recsys-embed: ")
    assert sentence in line


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["log", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("lineage", "token", "trimmed", "lag", "redis://"):
        assert word in text
