"""Whatever vector instructions the processor has, training gives the same bits."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

TRAIN = """
import hashlib
import numpy as np
from recsys_embed import *
from recsys_embed import native
segments = (
    Segment(1, FTRL(l1=0.01, weight_decay=0.1)), Segment(17, Adagrad(weight_decay=0.1)),
    Segment(5, Adam(weight_decay=0.1)), Segment(33, RowwiseAdagrad(weight_decay=0.1)),
    Segment(8, SGD(weight_decay=0.1), Normal()),
)
table = CollisionlessTable(TableConfig("t", segments))
rng, digest = np.random.default_rng(3), hashlib.sha256()
for mode in ("sum", "mean") * 3:
    ids = rng.zipf(1.3, 3000) * np.int64(7919)
    offsets = np.r_[0, np.sort(rng.integers(0, 3001, 499)), 3000]
    weights = rng.standard_normal(3000).astype(np.float32)
    answer = table.train_lookup_pooled(ids, offsets, mode=mode, weights=weights)
    grads = rng.standard_normal(answer.values.shape).astype(np.float32)
    table.apply_pooled_gradients(answer.rows, offsets, grads, lr=0.1, mode=mode, weights=weights)
    digest.update(answer.values.tobytes())
for block in table.rows():
    for column in block:
        digest.update(np.ascontiguousarray(column).tobytes())
print(native.instruction_set(), digest.hexdigest())
"""


def trained_with(instruction_set: str) -> tuple[str, str]:
    """Trains in a fresh process; gives the instruction set it used and the digest of all rows."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={"RECSYS_EMBED_ISA": instruction_set},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    used, digest = done.stdout.split()
    return used, digest


@pytest.mark.parametrize("instruction_set", ["avx2", "avx512"])
def test_vector_instructions_train_the_bits_of_the_baseline(instruction_set):
    used, digest = trained_with(instruction_set)
    if used != instruction_set:
        pytest.skip(f"this processor has no {instruction_set}")
    assert ("baseline", digest) == trained_with("baseline")
