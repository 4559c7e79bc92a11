"""A learned row map in a file of its own: safetensors with the arrays, and the config as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.array_files import read_arrays, write_arrays
from recsys_embed.config import from_dict, to_dict
from recsys_embed.errors import ConfigError, InputError, RecsysEmbedError
from recsys_embed.row_maps import Learned, RowMapConfig

CONFIG = "config"


@dataclass(frozen=True)
class _Holder:
    row_map: RowMapConfig


def write_row_map(path: Path | str, row_map: Learned) -> None:
    """Writes a learned row map, or leaves what was there; docs/formats.md has the format.

    Raises:
        InputError: if the system refuses.

    Example:
        >>> import tempfile
        >>> from recsys_embed.row_maps import GraphHash
        >>> path = Path(tempfile.mkdtemp()) / "users.rowmap"
        >>> write_row_map(path, GraphHash.of(ids=[10, 20], clusters=[0, 1]))
        >>> read_row_map(path).map(np.array([20])).rows
        array([[1]])
    """
    config = np.frombuffer(json.dumps(to_dict(row_map)).encode(), np.uint8)
    arrays: dict[str, NDArray[Any]] = {CONFIG: config, **row_map.whole()}
    write_arrays(Path(path), arrays, "a row map")


def read_row_map(path: Path | str) -> Learned:
    """Reads a row map, its arrays mapped into memory; they are checked against its digest.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    path = Path(path)
    arrays = read_arrays(path, "a row map")
    try:
        values = json.loads(arrays.pop(CONFIG).tobytes())
        row_map = from_dict(_Holder, {"row_map": values}, str(path)).row_map
        if not isinstance(row_map, Learned):
            raise ConfigError(f"expected a learned row map, got {row_map.kind}")
        return row_map.with_arrays(arrays)
    except (ValueError, KeyError, RecsysEmbedError) as error:
        raise InputError(f"expected a row map in {path}: {error}") from error
