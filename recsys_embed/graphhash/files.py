"""A clustering in a file: what later ids and refreshes need, as safetensors."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys_embed.array_files import read_arrays
from recsys_embed.errors import InputError
from recsys_embed.graphhash.clusters import Clustering, Part
from recsys_embed.snapshot.layout import Tensor, layout
from recsys_embed.snapshot.safetensors import TensorFileWriter

SCALARS = ("resolution", "modularity", "total_weight")
PARTS = ("users", "items")
DTYPES = {"ids": "<i8", "clusters": "<i4", "weights": "<f8", "rows": "<i4"}


def write_clustering(path: Path | str, clustering: Clustering) -> None:
    """Writes a clustering; a file of that name is replaced when the new one is whole.

    Raises:
        InputError: if the system refuses.

    Example:
        >>> import tempfile
        >>> from recsys_embed.graphhash import cluster, from_arrays
        >>> path = Path(tempfile.mkdtemp()) / "clusters.safetensors"
        >>> write_clustering(path, cluster(from_arrays([1, 2], [10, 20])))
        >>> read_clustering(path).users.rows.tolist()
        [0, 1]
    """
    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {
        f"{name}.{field.name}": getattr(getattr(clustering, name), field.name)
        for name in PARTS
        for field in fields(Part)
    }
    arrays["scalars"] = np.array([getattr(clustering, name) for name in SCALARS])
    plan = layout({name: Tensor(array.dtype, array.shape) for name, array in arrays.items()})
    unfinished = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        with TensorFileWriter(unfinished, plan) as file:
            for name, array in arrays.items():
                file.append(name, array)
            file.finish()
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the clustering {path}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def read_clustering(path: Path | str) -> Clustering:
    """Reads a clustering, its arrays mapped into memory.

    Raises:
        InputError: if there is none, or the file is something else.
    """
    path = Path(path)
    arrays = read_arrays(path, "a clustering")
    wanted = {f"{name}.{field}": dtype for name in PARTS for field, dtype in DTYPES.items()}
    wanted["scalars"] = "<f8"
    found = {name: array.dtype.str for name, array in arrays.items()}
    if found != wanted:
        raise InputError(f"{path}: a clustering has tensors {wanted}, found {found}")
    users, items = (Part(**{f: arrays[f"{name}.{f}"] for f in DTYPES}) for name in PARTS)
    scalars = dict(zip(SCALARS, arrays["scalars"].tolist(), strict=True))
    return Clustering(users, items, **scalars)
