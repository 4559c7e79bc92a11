"""What is said while a run goes."""

import io

import pytest
from rich.console import Console

from training import reporting
from training.reporting import Live, Plain, Rate, for_terminal

RECORD = {"part": "validation", "examples": 50, "auc": 0.75, "log_loss": 0.5}


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(reporting.time, "monotonic", lambda: self.now)


def test_the_rate_counts_what_this_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    rate = Rate(done=1000)
    clock.now += 4
    assert rate.at(1200) == 50


def test_plain_lines_tell_rate_time_left_and_the_last_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, plain = Clock(monkeypatch), Plain()
    plain.begin(1000, 0)
    plain.advance(50)
    plain.record({**RECORD, "part": "train"})
    assert capsys.readouterr().out == ""
    clock.now += 20
    plain.advance(200)
    plain.advance(210)
    assert capsys.readouterr().out == (
        "200 of 1,000 examples, 10 examples/s, 80 s left;"
        " train at 50 examples: AUC 0.7500, log loss 0.5000\n"
    )
    plain.record(RECORD)
    assert capsys.readouterr().out == "validation at 50 examples: AUC 0.7500, log loss 0.5000\n"


def test_the_bar_shows_progress_and_figures() -> None:
    screen = io.StringIO()
    live = Live(Console(file=screen, force_terminal=True, width=150))
    live.begin(1000, 0)
    live.record(RECORD)
    live.advance(500)
    live.end()
    assert "50%" in screen.getvalue() and "AUC 0.7500" in screen.getvalue()
    assert "examples/s" in screen.getvalue()


def test_what_is_no_terminal_gets_plain_lines() -> None:
    assert isinstance(for_terminal(), Plain)
