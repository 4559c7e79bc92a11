"""What the server was told: flags, then environment, then defaults; read once, never changed."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys_embed.delta_log.state import checked_replica
from recsys_embed.errors import ConfigError

PREFIX = "RECSYS_SERVE_"


class Settings(BaseSettings):
    """Serves a snapshot's tables over HTTP. Every flag may also be given as RECSYS_SERVE_<NAME>."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        cli_prog_name="recsys-serve",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    snapshot: Path | None = Field(
        None, description="a snapshot, or a folder of them: the newest complete one"
    )
    follow: str | None = Field(
        None, description="a delta log to follow: its directory, or redis://host:port/NAME"
    )
    replica: str | None = Field(
        None, description="the name in the log to follow; of host and port if not given"
    )
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    workers: int = Field(
        1, ge=1, le=256, description="processes that share the port and the mapped files"
    )
    max_ids: int = Field(
        4096, ge=1, le=65_536, description="ids one request may ask for, over all its tables"
    )
    max_body_bytes: int = Field(
        4 << 20, ge=1024, le=1 << 30, description="bytes a request body may have"
    )
    items: str | None = Field(
        None,
        description="a delta log that keeps items upserted and deleted over HTTP, and brings"
        " those of other servers: its directory, or redis://host:port/NAME",
    )
    read_only: bool = Field(False, description="refuse to upsert, delete, rebuild and activate")
    max_k: int = Field(1000, ge=1, le=10_000, description="candidates one search may ask for")
    max_queries: int = Field(
        64, ge=1, le=1024, description="searches of one batch, and vectors of one search"
    )
    max_items: int = Field(
        1000, ge=1, le=65_536, description="items one request may upsert or delete"
    )
    search_threads: int = Field(2, ge=1, le=256, description="threads that search and run towers")
    shadow_share: float = Field(
        0.001, ge=0, le=1, description="searches repeated exactly, to estimate the recall"
    )
    bridge_recall: float = Field(
        0.9,
        ge=0,
        le=1,
        description="least validated recall at which a bridge between tower versions may serve",
    )
    keep_alive_s: int = Field(
        75, ge=1, le=3600, description="seconds an idle connection stays open"
    )
    grace_s: int = Field(
        10, ge=0, le=3600, description="seconds that running requests get after SIGTERM"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least level logged"
    )
    access_log: bool = Field(False, description="log one line a request")

    @classmethod
    def read(cls, arguments: list[str]) -> Self:
        """Builds the settings from command line flags and the environment; a flag wins.

        Raises:
            ConfigError: naming every setting that is missing, unknown or out of range.
        """
        _refuse_unknown_variables()
        try:
            settings = cls(_cli_parse_args=arguments)  # type: ignore[call-arg]
        except ValidationError as error:
            raise ConfigError("; ".join(_sentence(e) for e in error.errors())) from None
        _refuse_unserviceable(settings)
        return settings

    def decided(self) -> str:
        """Lists every setting with its value and whether it was given, one a line."""
        given = self.model_fields_set
        return "\n".join(
            f"  {name} = {value}{'' if name in given else '  (default)'}"
            for name, value in self.model_dump().items()
        )


def _refuse_unknown_variables() -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1) or known
            raise ConfigError(
                f"no setting is named by the variable {name}; near it: {', '.join(near)}"
            )


def _sentence(error: Any) -> str:
    name = str(error["loc"][0])
    flag, variable = "--" + name.replace("_", "-"), PREFIX + name.upper()
    return f"{flag} (or {variable}): {error['msg'].lower()}, got {error['input']!r}"


def _refuse_unserviceable(settings: Settings) -> None:
    if settings.snapshot is None and settings.follow is None:
        what = Settings.model_fields["snapshot"].description
        raise ConfigError(
            f"--snapshot (or {PREFIX}SNAPSHOT) is needed: {what}; or --follow LOG (or"
            f" {PREFIX}FOLLOW)"
        )
    if settings.replica is not None:
        if settings.follow is None:
            raise ConfigError("--replica: expected --follow LOG as well, which it is a name in")
        checked_replica(settings.replica)
