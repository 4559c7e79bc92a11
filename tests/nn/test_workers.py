"""DataLoader workers and forked children beside a module that lives in the parent."""

import multiprocessing
import os
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from torchrec import EmbeddingBagConfig, KeyedJaggedTensor

import recsys_embed
from recsys_embed.nn import EmbeddingBagCollection

TABLES = [EmbeddingBagConfig(name="t", embedding_dim=8, num_embeddings=100, feature_names=["f"])]
BAGS = 512


class Log(Dataset[KeyedJaggedTensor]):
    """Six batches, each drawn from its number."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, number: int) -> KeyedJaggedTensor:
        if number >= len(self):
            raise IndexError(number)
        ids = np.random.default_rng(number).integers(-(2**62), 2**62, BAGS * 4)
        return KeyedJaggedTensor(
            ["f"], torch.from_numpy(ids), lengths=torch.full((BAGS,), 4, dtype=torch.int64)
        )


def trained(batches: Any) -> EmbeddingBagCollection:
    collection = EmbeddingBagCollection(TABLES, lr=0.1)
    for batch in batches:
        collection(batch).values().square().sum().backward()
    return collection


def ids_of(collection: EmbeddingBagCollection) -> np.ndarray[Any, Any]:
    return np.sort(np.concatenate([block.ids for block in collection.tables["t"].rows()]))


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_batches_made_by_workers_train_the_parent_s_tables_alike(start: str) -> None:
    expected = trained(Log())
    loader = DataLoader(
        Log(),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=start,
        persistent_workers=True,
    )
    collection = trained(loader)
    np.testing.assert_array_equal(ids_of(collection), ids_of(expected))
    probe = ids_of(expected)
    np.testing.assert_array_equal(
        collection.tables["t"].lookup(probe), expected.tables["t"].lookup(probe)
    )


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reads_its_copy_of_the_tables_and_exits() -> None:
    threads = recsys_embed.num_threads()
    recsys_embed.set_num_threads(2)
    try:
        collection = trained(Log())  # the parent's native threads exist from here on
        batch = Log()[0]
        expected = collection.eval()(batch).values().sum(dim=0)
        receiver, sender = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_read, args=(collection, batch, sender))
        child.start()
        assert receiver.poll(60), "the forked child never answered"
        np.testing.assert_array_equal(receiver.recv(), expected.numpy())
        child.join(60)
        assert child.exitcode == 0
    finally:
        recsys_embed.set_num_threads(threads)


def _read(collection: EmbeddingBagCollection, batch: KeyedJaggedTensor, sender: Any) -> None:
    torch.set_num_threads(1)  # torch's own OpenMP pool does not survive a fork
    sender.send(collection(batch).values().sum(dim=0).numpy())
    assert os.getpid() != os.getppid()
