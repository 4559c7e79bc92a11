"""What a lookup in a snapshot answers for ids that have no row."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.arrays import as_array
from recsys_embed.config import near
from recsys_embed.errors import InputError, MissingIdError
from recsys_embed.table import Missing
from recsys_embed.table_config import TableConfig
from recsys_embed.threads import initial_values

POLICIES = ["initial", "zeros", "error"]
NAMED_IDS = 8


def check_missing(missing: Missing, dim: int) -> None:
    """Refuses what is neither a policy nor a float32 vector (D,).

    Raises:
        InputError: naming what came.
    """
    if isinstance(missing, str):
        if missing not in POLICIES:
            hint = near(missing, POLICIES)
            raise InputError(f"missing cannot be {missing!r}; {hint}, or a vector")
        return
    vector = as_array(missing)
    if vector.dtype != np.float32 or vector.shape != (dim,):
        raise InputError(
            f"missing must be float32 of shape ({dim},), got {vector.dtype} of shape {vector.shape}"
        )


def missing_values(
    missing: Missing, config: TableConfig, ids: NDArray[np.int64]
) -> NDArray[np.float32] | float:
    """Gives what these ids read, shape (N, D) or fit to be spread over it.

    Raises:
        MissingIdError: under "error", naming some of the ids.
    """
    if not isinstance(missing, str):
        return as_array(missing)
    if missing == "error":
        some = ", ".join(map(str, ids[:NAMED_IDS].tolist()))
        raise MissingIdError(f"table {config.name!r} has no row for {len(ids)} of the ids: {some}")
    return initial_values(config, ids) if missing == "initial" else 0.0
