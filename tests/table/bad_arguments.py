"""Arguments that no call may accept, by what is wrong with them; right ones have 3 ids, D = 4."""

import numpy as np

from tests.table.making import int64s

F32 = np.float32


def array(*shape, dtype=F32):
    return np.ones(shape, dtype)


def read_only(values):
    values.flags.writeable = False
    return values


BAD_IDS = {
    "floats": array(3),
    "bools": array(3, dtype=bool),
    "two dimensions": array(3, 1, dtype=np.int64),
    "no dimension": np.int64(3),
    "objects": np.array([1, None, 2]),
}
BAD_OFFSETS = {
    "decreasing": int64s(0, 2, 1, 3),
    "overrunning": int64s(0, 1, 4),
    "short of the ids": int64s(0, 1, 2),
    "not from zero": int64s(1, 2, 3),
    "negative": int64s(0, -1, 3),
    "empty": int64s(),
    "floats": np.array([0.0, 1.0, 3.0]),
    "two dimensions": int64s(0, 1, 3)[None],
    "strided": int64s(0, 7, 1, 7, 3)[::2],
}
BAD_WEIGHTS = {
    "wrong length": array(2),
    "float64": array(3, dtype=np.float64),
    "two dimensions": array(3, 1),
}
BAD_FACTORS = {
    **BAD_WEIGHTS,
    "not a number": np.array([1, np.nan, 1], F32),
    "infinite": np.array([1, np.inf, 1], F32),
}
BAD_OUT = {
    "wrong rows": array(4, 4),
    "wrong columns": array(3, 5),
    "float64": array(3, 4, dtype=np.float64),
    "columns apart": array(3, 8)[:, ::2],
    "flat": array(12),
    "read-only": read_only(array(3, 4)),
}
BAD_MISSING = {
    "unknown word": "zero",
    "wrong dimension": array(3),
    "two dimensions": array(1, 4),
    "float64": array(4, dtype=np.float64),
    "none": None,
}
BAD_GRADS = {
    "wrong rows": array(2, 4),
    "wrong columns": array(3, 3),
    "float64": array(3, 4, dtype=np.float64),
    "float16": array(3, 4, dtype=np.float16),
    "columns apart": array(3, 8)[:, ::2],
    "transposed": array(4, 3).T,
    "flat": array(12),
    "not a number": np.full((3, 4), np.nan, F32),
    "infinite": np.full((3, 4), np.inf, F32),
}
BAD_RATES = {
    "not a number": np.nan,
    "infinite": np.inf,
    "negative": -0.1,
    "one too few": (0.1,),
    "one too many": (0.1, 0.1, 0.1),
    "one of them bad": (0.1, np.nan),
    "a word": "fast",
}
BAD_VALUES = {**BAD_GRADS}
BAD_TIMES = {
    "absent": None,
    "negative": -1,
    "beyond 2^32": 2**32,
    "a fraction": 1000.5,
    "a word": "now",
}
BAD_FEATURES = {"unknown": "c", "beyond": 2, "negative": -1, "none": None, "a fraction": 0.5}
