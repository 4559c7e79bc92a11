"""The command: which runs it makes, what it prints, what it keeps, and how it goes on."""

import json
from pathlib import Path

import pytest

from recsys_embed.errors import RecsysEmbedError
from tests.reproduce.making import CONFIG, Toy, options_of
from training.cli import main as recsys_train
from training.reproduce import experiments, running
from training.reproduce.running import main


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "class_of", lambda name: Toy)
    monkeypatch.setattr(running, "class_of", lambda name: Toy)
    monkeypatch.setattr(running, "names", lambda: ["toy"])
    Path("configs/papers").mkdir(parents=True)
    Path("configs/papers/toy.toml").write_text(CONFIG)
    Toy.ran.clear()


def test_it_prints_published_beside_obtained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(options_of("toy", "--seeds", "3")) == 0
    printed = capsys.readouterr().out
    assert "0.5200 ± 0.0100" in printed and "0.6" in printed and "50.0%" in printed
    assert "met: gain: 0.1 (>= 0.05)" in printed and "MISSED: more: 0.1 (>= 0.2)" in printed
    assert "6 of 6: second, seed 3: AUC 0.6300" in printed
    assert [(c, s) for s in (1, 2, 3) for c in ("first", "second")] == Toy.ran


def test_it_writes_every_figure_and_a_picture() -> None:
    main(options_of("toy", "--seeds", "2", "--output", "there"))
    result = json.loads(Path("there/result.json").read_text())
    first = result["cases"]["first"]
    assert first["metrics"]["auc"]["runs"] == pytest.approx([0.51, 0.52])
    assert first["metrics"]["log_loss"]["mean"] is None
    assert first["published"] == {"auc": 0.6} and first["parameters"] == 100
    assert [claim["met"] for claim in result["claims"]] == [True, False]
    assert result["config"]["base"] == 0.5
    assert Path("there/result.png").read_text() == "first second"


def test_an_interrupted_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(case: str, seed: int, *_: object) -> None:
        if (case, seed) == ("first", 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(running.Progress, "say", lambda _, *told: stop(*told))
        with pytest.raises(KeyboardInterrupt):
            main(options_of("toy"))
    Toy.ran.clear()
    main(options_of("toy", "--resume"))
    assert [("second", 2), ("first", 3), ("second", 3)] == Toy.ran
    result = json.loads(Path("runs/reproduce/toy/result.json").read_text())
    assert result["cases"]["first"]["metrics"]["auc"]["runs"] == pytest.approx([0.51, 0.52, 0.53])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["toy"], "already holds a reproduction; --resume"),
        (["toy", "--resume", "--set", "base=0.6"], "of another config; --overwrite"),
        (["toy", "--overwrite", "--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["toy", "--quick", "--record"], "not worth a --record"),
        (["toy", "--set", "bass=1"], "no key 'bass'; did you mean 'base'"),
        (["toy", "--config", "nowhere.toml"], "expected the config of toy at nowhere.toml"),
        (["toy", "--config", "configs"], "expected the config of toy at configs"),
    ],
)
def test_what_cannot_be_run_is_refused(words: list[str], message: str) -> None:
    main(options_of("toy", "--seeds", "1"))
    with pytest.raises(RecsysEmbedError, match=message):
        main(options_of(*words))


def test_overwriting_forgets(capsys: pytest.CaptureFixture[str]) -> None:
    main(options_of("toy"))
    main(options_of("toy", "--overwrite", "--seeds", "1", "--set", "base=0.7"))
    result = json.loads(Path("runs/reproduce/toy/result.json").read_text())
    assert result["cases"]["first"]["metrics"]["auc"]["runs"] == pytest.approx([0.71])


def test_quick_says_what_it_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    assert recsys_train(["reproduce", "toy", "--quick"]) == 0
    printed = capsys.readouterr().out
    assert "0.0100" in printed and "no more" in printed and "met:" not in printed
    assert [("first", 1), ("second", 1)] == Toy.ran


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert recsys_train(["reproduce"]) == 0
    assert capsys.readouterr().out.split() == ["toy", "A", "toy"]


def test_names_that_are_not_toml_are_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path("bad.toml").write_text("= 1")
    assert recsys_train(["reproduce", "toy", "--config", "bad.toml"]) == 2
    assert capsys.readouterr().err.startswith("recsys-train: expected TOML in bad.toml")
