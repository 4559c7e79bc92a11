"""A cut is one moment even while other threads write to the table."""

import threading

import numpy as np

from recsys_embed import SGD, Adam, CollisionlessTable, FeatureRule, TableConfig
from tests.table.making import columns, copied, ordered


def test_all_that_a_cut_tells_is_of_one_moment():
    """Two writers queue up, so that one of them enters right after any cut is taken."""
    rules = (FeatureRule("f", threshold=2),)
    table = CollisionlessTable(TableConfig.of("t", 1, features=rules))
    running = [threading.Event(), threading.Event()]

    def train(start, done):
        for n in range(150):
            table.train_lookup(np.arange(20_000) + start + 1000 * n)
        done.set()

    writers = [
        threading.Thread(target=train, args=(10**6 * k, done)) for k, done in enumerate(running)
    ]
    for writer in writers:
        writer.start()
    cuts = 0
    while not all(done.is_set() for done in running) or not cuts:
        with table.cut() as cut:
            held, waiting = columns(cut), cut.admission["ids"].tolist()
        cuts += 1
        assert cut.counters["admitted"] == len(held["ids"]) == cut.num_rows
        assert cut.counters["filtered"] == len(waiting) + cut.num_rows
        assert not set(waiting) & set(held["ids"].tolist())
        assert cut.seq >= held["seq"].max(initial=0)
    for writer in writers:
        writer.join()


def test_a_cut_taken_while_training_goes_on_shows_one_moment():
    """Each step lowers every weight of every row by 1: rows of one moment all agree."""
    table = CollisionlessTable(TableConfig.of("t", 8, optimizer=SGD()))
    ids = np.arange(20_000)
    table.assign(ids, np.zeros((len(ids), 8), np.float32))
    grads = np.ones((len(ids), 8), np.float32)
    done = threading.Event()

    def train():
        for _ in range(60):
            table.apply_gradients(ids, grads, lr=1.0)
        done.set()

    writer = threading.Thread(target=train)
    writer.start()
    moments = []
    while not done.is_set() or not moments:
        with table.cut() as cut:
            weights = columns(cut)["weights"]
        moments.append(np.unique(weights).tolist())
        assert weights.shape == (len(ids), 8)
    writer.join()
    assert all(len(moment) == 1 for moment in moments), moments
    assert moments == sorted(moments, reverse=True)
    assert (table.lookup(ids) == -60).all()


def test_the_parts_of_a_cut_may_be_read_in_threads():
    table = CollisionlessTable(TableConfig.of("t", 4, optimizer=Adam()))
    ids = np.arange(10_000)
    table.assign(ids, np.zeros((len(ids), 4), np.float32))
    found = [[] for _ in range(4)]
    with table.cut() as cut:

        def read(part):
            for block in cut.blocks(part, 4, rows_per_block=128):
                found[part] += copied([block])

        readers = [threading.Thread(target=read, args=(part,)) for part in range(4)]
        for reader in readers:
            reader.start()
        for n in range(10):
            table.apply_gradients(ids, np.ones((len(ids), 4), np.float32), lr=0.1)
            table.evict(ids[n::50].copy())
        for reader in readers:
            reader.join()
    whole = ordered([block for part in found for block in part])
    np.testing.assert_array_equal(whole["ids"], ids)
    assert (whole["weights"] == 0).all() and (whole["state"] == 0).all()
