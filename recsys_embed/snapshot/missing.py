"""What a lookup in a snapshot answers for ids that have no row."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.arrays import as_array
from recsys_embed.config import near
from recsys_embed.errors import InputError, MissingIdError
from recsys_embed.table_arguments import Missing

ROWWISE = ["initial", "zeros"]
POLICIES = [*ROWWISE, "error"]
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


def missing_vector(missing: Missing, table: str, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Gives the vector that these ids read.

    Raises:
        MissingIdError: under "error", naming some of the ids.
    """
    if not isinstance(missing, str):
        return as_array(missing)
    some = ", ".join(map(str, ids[:NAMED_IDS].tolist()))
    raise MissingIdError(f"table {table!r} has no row for {len(ids)} of the ids: {some}")
