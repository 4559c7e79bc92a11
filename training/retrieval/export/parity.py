"""ONNX files held to the towers that they were made of."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys_embed.errors import RecsysEmbedError

ATOL = 1e-5  # of vectors of length 1


def run_onnx(file: bytes, feed: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Runs a tower's ONNX file, as a server does, on one thread.

    Args:
        file: as `to_onnx` gives it.
        feed: float32 (B, width) by input.
    """
    import onnxruntime  # slow to import

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    found: Sequence[NDArray[np.float32]] = session.run(None, dict(feed))
    return found[0]


def check_parity(name: str, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Gives the largest difference between a tower's vectors and those of its ONNX file.

    Raises:
        RecsysEmbedError: if it is above 1e-5, or the shapes differ: such a tower must not serve.
    """
    if ours.shape != theirs.shape:
        raise RecsysEmbedError(
            f"the ONNX file of tower {name!r} gives vectors {theirs.shape}, torch {ours.shape}"
        )
    apart = float(np.abs(ours - theirs).max(initial=0))
    if not apart <= ATOL:
        raise RecsysEmbedError(
            f"the ONNX file of tower {name!r} and torch differ by {apart:.2g}, more than {ATOL:g};"
            " the snapshot was not written"
        )
    return apart
