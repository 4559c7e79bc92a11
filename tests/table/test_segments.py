"""A row of several segments trains as separate tables would."""

import numpy as np
import pytest

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Constant,
    Normal,
    RowwiseAdagrad,
    Segment,
    TableConfig,
    Uniform,
)
from tests.table.making import columns

SEGMENTS = (
    Segment(1, FTRL(l1=0.1, l2=0.2, weight_decay=0.01), Constant(0.0)),
    Segment(16, Adagrad(weight_decay=0.02), Uniform(-1, 1)),
    Segment(5, Adam(), Normal(1.0, 0.1)),
    Segment(7, RowwiseAdagrad(initial_accumulator=0.1), Constant(2.0)),
    Segment(2, SGD(), Constant(-1.0)),
)
RATES = (0.5, 0.1, 0.01, 0.2, 0.3)
ENDS = np.cumsum([s.dim for s in SEGMENTS])


def parts(values):
    return np.split(values, ENDS[:-1], axis=1)


@pytest.mark.parametrize("num_steps", [1, 6])
def test_segments_equal_separate_tables(new_table, num_steps, rng):
    joint = new_table(TableConfig("joint", SEGMENTS))
    ids = rng.integers(-50, 50, 40)
    start = rng.standard_normal((len(ids), joint.config.dim)).astype(np.float32)
    joint.assign(ids, start)
    separate = [new_table(TableConfig("s", (segment,))) for segment in SEGMENTS]
    for table, mine in zip(separate, parts(start), strict=True):
        table.assign(ids, mine)
    for _ in range(num_steps):
        grads = rng.standard_normal(start.shape).astype(np.float32)
        joint.apply_gradients(ids, grads, lr=RATES)
        for table, mine, lr in zip(separate, parts(grads), RATES, strict=True):
            table.apply_gradients(ids, mine, lr=lr)
    alone = [columns(table) for table in separate]
    held = columns(joint)
    # a segment may start off an alignment that its own table would have: last-bit differences
    for name in ("weights", "state"):
        expected = np.concatenate([c[name] for c in alone], axis=1)
        np.testing.assert_allclose(held[name], expected, rtol=1e-5, atol=1e-6)


def test_each_segment_has_its_own_initial_values(new_table):
    table = new_table(TableConfig("joint", SEGMENTS))
    table.train_lookup(np.arange(500))
    bias, uniform, normal, twos, minus = parts(table.lookup(np.arange(500)))
    assert (bias == 0).all()
    assert uniform.min() < -0.9 and uniform.max() > 0.9
    assert abs(normal.mean() - 1.0) < 0.02  # 2500 draws of deviation 0.1: ten standard errors
    assert (twos == 2).all() and (minus == -1).all()


def test_each_segment_begins_with_its_own_state(new_table):
    table = new_table(TableConfig("joint", SEGMENTS))
    table.train_lookup(np.arange(3))
    state = columns(table)["state"]
    assert state.shape == (3, table.config.state_width)
    assert (state[:, -1] == np.float32(0.1)).all()  # the row-wise accumulator comes last
    assert (state[:, :-1] == 0).all()
