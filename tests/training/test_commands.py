"""The commands beside training a config: which word is a command, and what it answers."""

from pathlib import Path

import pytest

from training import commands
from training.cli import main

SHOUT = '''
"""Repeat a word loudly."""

from recsys_embed.errors import InputError


def add_arguments(parser):
    parser.add_argument("word")


def run(options):
    if options.word == "quiet":
        raise InputError("a word to shout was expected, got 'quiet'")
    print(options.word.upper())
    return 7
'''


@pytest.fixture(autouse=True)
def shout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shout_it_out.py").write_text(SHOUT)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.chdir(tmp_path)


def test_a_command_gets_its_words_and_gives_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shout-it-out", "hey"]) == 7
    assert capsys.readouterr().out == "HEY\n"


def test_bad_input_to_a_command_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shout-it-out", "quiet"]) == 2
    assert capsys.readouterr().err == ("recsys-train: a word to shout was expected, got 'quiet'\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["recsys-train shout-it-out", "Repeat a word loudly."]),
        (["shout-it-out", "--help"], ["usage: recsys-train shout-it-out", "word"]),
    ],
)
def test_help_lists_commands_and_each_has_its_own(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(arguments)
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)


def test_a_config_named_like_a_command_is_reached_by_its_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("shout-it-out").write_text("= not TOML")
    assert main(["./shout-it-out"]) == 2
    assert "expected TOML in shout-it-out" in capsys.readouterr().err


def test_a_misspelled_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shout-it"]) == 2
    error = capsys.readouterr().err
    assert "'shout-it' is neither a config nor a command; did you mean 'shout-it-out'?" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", commands.names())
def test_every_command_has_a_summary_and_quick_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.summary(name).endswith(".")
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert commands.summary(name) in " ".join(capsys.readouterr().out.split())
