"""Where data lies: paths of a config, with `$RECSYS_DATA` for what may not be redistributed."""

import os
from pathlib import Path

from recsys_embed.errors import InputError

DEFAULT_DATA = "../shared/data"


def data_root() -> Path:
    """Returns the folder that `RECSYS_DATA` names, `../shared/data` unless it is set."""
    return Path(os.environ.get("RECSYS_DATA", DEFAULT_DATA))


def resolve(path: str) -> Path:
    """Returns the existing file or folder that a config's `path` means.

    `$RECSYS_DATA` at its start is replaced; a relative path starts at the working directory.

    Raises:
        InputError: if there is nothing at that place.
    """
    if path.startswith("$RECSYS_DATA"):
        found = data_root() / path.removeprefix("$RECSYS_DATA").lstrip("/")
    else:
        found = Path(path)
    if not found.exists():
        raise InputError(
            f"expected data at {path!r}, but {found.absolute()} does not exist; relative paths"
            " start at the working directory; RECSYS_DATA names the folder of data not shipped"
        )
    return found
