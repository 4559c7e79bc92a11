"""What an online run shows: every stage of an event's way, in words and numbers that are right."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from training.online.dashboard import Dashboard, Plain, rows_of
from training.online.watching import Status

STATUS = Status(
    records=12_000,
    trained=10_000,
    left_out=0,
    unusable=0,
    steps=20,
    time_s=1_320_192_000,
    waiting=7,
    joined=3_000,
    missing=7_000,
    late=2,
    spilled_bytes=0,
    source_lag=None,
    malformed=0,
    trouble=None,
    rows=500,
    admitted=600,
    expired=100,
    lineage="1b4e28ba-0000-4000-8000-000000000001",
    entry=9,
    entry_rows=321,
    entry_bytes=3 << 20,
    entry_s=0.25,
    entries=9,
    snapshots=2,
    failures=0,
    replicas={},
)
FIGURES = {"trained": 10_000, "auc": 0.75, "log_loss": 0.6, "calibration": 1.01, "events": 2_000}


def test_every_stage_has_its_line() -> None:
    lines = dict(rows_of(STATUS, 5_000.0, "AUC 0.75"))
    assert lines == {
        "event time": "2011-11-02 00:00:00",
        "source": "12,000 records",
        "joined": "3,000 with an outcome, 7,000 without, 2 late; 7 wait",
        "learned": "10,000 events, 5,000 a second",
        "predicted": "AUC 0.75",
        "rows": "500; 600 admitted, 100 expired",
        "log": "entry 9 of 321 rows, 3.00 MiB, durable in 0.25 s; 2 snapshots",
        "served": "nobody follows",
    }


def test_what_is_unusual_is_said_where_it_happens() -> None:
    unusual = replace(
        STATUS,
        time_s=None,
        left_out=5,
        unusable=6,
        source_lag=44,
        malformed=3,
        trouble="Redis is away",
        spilled_bytes=2 << 20,
        failures=1,
        replicas={"a": (2, 1.5), "b": (None, None)},
    )
    lines = dict(rows_of(unusual, 0.0, ""))
    assert lines["event time"] == "-"
    assert lines["source"].endswith("44 wait in the source, 3 malformed; Redis is away")
    assert lines["joined"].endswith("7 wait, 2 MiB on disk")
    assert lines["learned"].endswith("5 negatives left out, 6 passed over")
    assert lines["log"].endswith("1 FAILED")
    assert lines["served"] == "a is 2 entries and 1.5 s behind; b must begin from a snapshot"


def test_plain_lines_say_where_it_begins_and_each_window(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = Plain()
    plain.begin(STATUS)
    plain.hear(replace(STATUS, trained=11_000))
    plain.figures(FIGURES)
    plain.end()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("begins at entry 9 of lineage 1b4e28ba-")
    assert second.startswith("11,000 events, ") and second.endswith("nobody follows")
    assert third == (
        "at 10,000 events: AUC 0.7500, log loss 0.6000, calibration 1.010 over the last 2,000"
    )


def test_a_terminal_keeps_the_last_table() -> None:
    file = io.StringIO()
    dashboard = Dashboard(Console(file=file, force_terminal=True, width=120))
    dashboard.begin(STATUS)
    dashboard.figures(FIGURES)
    dashboard.hear(STATUS)
    dashboard.end()
    shown = file.getvalue()
    for words in ("learned", "AUC 0.7500", "entry 9 of 321 rows"):
        assert words in shown
