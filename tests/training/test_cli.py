"""The command line: its manual, its exit codes, and a run stopped by a signal."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recsys_embed.config import to_dict
from tests.training.making import config_of, planted_log
from training.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    planted_log(tmp_path / "log.parquet", events=2000)
    path = tmp_path / "run.toml"
    path.write_text(
        f"""
        name = "planted"
        data = {{kind = "log", path = "{tmp_path / "log.parquet"}"}}
        events = {{label = "label", time = "time"}}
        features = {{user = {{}}, item = {{}}}}
        model = {{kind = "dnn", hidden = [8]}}
        train = {{batch_size = 50}}
        """
    )
    return path


def test_help_teaches_without_loading_torch() -> None:
    code = (
        "import sys\nfrom training.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("--resume", "--set", "RECSYS_DATA", "summary.json", "examples:"):
        assert word in done.stdout


def test_a_run_prints_its_figures_and_overwrites_only_when_told(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(config), "--output", str(tmp_path / "run"), "--seed", "3", "--threads", "1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "normalized entropy" in printed and "examples/s" in printed and "user" in printed
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["config"]["seed"] == 3 and summary["examples"] == 1600
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--epochs", "2"]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["examples"] == 3200
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_an_error_is_one_sentence(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(config), "--output", str(tmp_path / "run"), "--set", "train.epoch=2"]) == 2
    assert capsys.readouterr().err == (
        "recsys-train: run.toml.train has no key 'epoch'; did you mean 'epochs'? known: "
        + ", ".join(sorted(to_dict(config_of(tmp_path))["train"]))
        + "\n"
    )
    assert not (tmp_path / "run").exists()


def test_an_interruption_before_training_is_said_in_words(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.train.read", interrupt)
    assert main([str(config), "--output", str(config.parent / "run")]) == 130
    assert "stopped at once" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_says_how_to_go_on(
    config: Path, tmp_path: Path, number: signal.Signals
) -> None:
    arguments = [str(config), "--output", str(tmp_path / "run")]
    command = [sys.executable, "-m", "training.cli", *arguments, "--epochs", "100000"]
    running = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert "validation" in running.stdout.readline()  # training is under way
    os.kill(running.pid, number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert "--resume goes on from there" in errors
    assert list((tmp_path / "run" / "checkpoints").glob("snapshot-*"))
    # a checkpoint is of many epochs already, so asking for one is asking for none more
    assert main([*arguments, "--epochs", "1", "--resume"]) == 0
