"""Named arrays in one safetensors file, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import InputError, RecsysEmbedError
from recsys_embed.snapshot.headers import read_layout
from recsys_embed.snapshot.layout import Tensor, layout
from recsys_embed.snapshot.safetensors import TensorFileWriter, map_tensors


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], what: str) -> None:
    """Writes arrays, or leaves what was there.

    Args:
        path: the file; its folder is made.
        arrays: by name.
        what: how errors name them, such as "codebooks".

    Raises:
        InputError: if the system refuses.
    """
    plan = layout({name: Tensor(a.dtype, a.shape) for name, a in arrays.items()})
    unfinished = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TensorFileWriter(unfinished, plan) as file:
            for name, array in arrays.items():
                file.append(name, np.ascontiguousarray(array))
            file.finish()
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {what} to {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_arrays(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """Maps the arrays of a file into memory, read-only.

    Raises:
        InputError: if there is none, or it is damaged.
    """
    try:
        return map_tensors(path, read_layout(path))
    except FileNotFoundError:
        raise InputError(f"expected {what} at {path}, but there is no file") from None
    except (OSError, ValueError, RecsysEmbedError) as error:
        raise InputError(f"expected {what} in {path}: {error}") from error
