"""Values given on the command line, set into those of a TOML file."""

import argparse
import tomllib
from pathlib import Path
from typing import Any

from recsys_embed.errors import ConfigError


def assign(values: dict[str, Any], assignment: str) -> None:
    """Sets one value; a bare word is a string.

    Args:
        values: of a TOML file, changed.
        assignment: "section.key=value", the value in TOML.

    Raises:
        ConfigError: if it is not that.

    Example:
        >>> values = {"train": {"lr": 0.1}}
        >>> assign(values, "train.lr=0.2"); assign(values, "model.kind=dcn"); values
        {'train': {'lr': 0.2}, 'model': {'kind': 'dcn'}}
    """
    path, separator, text = assignment.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"--set expects section.key=value, got {assignment!r}")
    *sections, key = path.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {path}: {section!r} is a value, not a section")
    values[key] = _parsed(text.strip())


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def add_run_arguments(parser: argparse.ArgumentParser, example: str) -> None:
    """Lets a command line replace values of its config, and say where the result goes.

    Args:
        parser: of the command; `assignments` and `output` are added to what it gives.
        example: of a dotted key.
    """
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help=f"replace one value of the config; KEY is dotted ({example}), VALUE is TOML;"
        " may repeat",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the run (runs/NAME)")
