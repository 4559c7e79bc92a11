"""Settings come from flags before the environment, and a wrong one is named with what came."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from recsys_embed.errors import ConfigError, InputError
from serving.settings import Settings


def test_a_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_SERVE_SNAPSHOT", "/from/environment")
    monkeypatch.setenv("RECSYS_SERVE_MAX_IDS", "17")
    settings = Settings.read(["--snapshot", "/from/flag", "--keep-alive-s", "3"])
    assert settings.snapshot == Path("/from/flag")
    assert (settings.max_ids, settings.keep_alive_s) == (17, 3)


def test_what_was_decided_says_what_was_left_to_the_default() -> None:
    decided = Settings.read(["--snapshot", "/s", "--workers", "2"]).decided()
    assert "  workers = 2\n" in decided
    assert "  port = 8000  (default)\n" in decided


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.read(["--snapshot", "/s"]).port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "--snapshot (or RECSYS_SERVE_SNAPSHOT) is needed"),
        (["--snapshot", "/s", "--replica", "a"], "--replica: expected --follow LOG as well"),
        (["--port", "65536"], "--port (or RECSYS_SERVE_PORT): input should be less than"),
        (["--workers", "two"], "got 'two'"),
        (["--max-ids", "0"], "--max-ids (or RECSYS_SERVE_MAX_IDS)"),
        (["--log-level", "loud"], "got 'loud'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_came(flags: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.read(flags)
    assert sentence in str(raised.value)


def test_a_name_that_no_log_takes_is_refused() -> None:
    with pytest.raises(InputError, match="replica: expected 1 to 64 letters"):
        Settings.read(["--follow", "log", "--replica", "a b"])


def test_an_unknown_variable_is_refused_with_the_near_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_SERVE_MAX_ID", "17")
    with pytest.raises(ConfigError, match="RECSYS_SERVE_MAX_ID; near it: RECSYS_SERVE_MAX_IDS"):
        Settings.read(["--snapshot", "/s"])


def test_an_unknown_flag_ends_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Settings.read(["--snapshot", "/s", "--prot", "1"])
    assert ended.value.code == 2
    assert "--prot" in capsys.readouterr().err
