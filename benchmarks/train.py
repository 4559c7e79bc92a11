"""DLRM from raw ids on our collection against the same model on TorchRec's, given dense indices.

`python -m benchmarks.train [--quick] [--json FILE]`: 13 numbers, 26 features, D = 16, 10 M distinct
ids, Zipf(1.05), batches of 2,048. TorchRec's side is its EmbeddingBagCollection over FBGEMM's fused
row-wise Adagrad. Both sides hold every id before timing begins, and run TorchRec's DLRM.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torchrec.models.dlrm import DLRM
from torchrec.modules.embedding_configs import EmbeddingBagConfig
from torchrec.modules.fused_embedding_modules import FusedEmbeddingBagCollection
from torchrec.optim import RowWiseAdagrad

from benchmarks.criteo import KEYS, NUM_DENSE, Batch, batches, raw_ids, sizes
from benchmarks.measure import KEPT_CALLS, WARMUP_CALLS, Result, paired, parser, report, speedup
from benchmarks.memory import peak_bytes
from benchmarks.table import set_threads
from recsys_embed.nn import EmbeddingBagCollection

DIM, BATCH_SIZE, LEARNING_RATE, FILL_BATCH = 16, 2048, 0.01, 32_768
BOTTOM, TOP = [512, 256, DIM], [512, 256, 1]
PER_CALL = 4


class Side:
    """One model with its dense optimizer; `jagged` picks the ids its tables take."""

    def __init__(self, collection: nn.Module, jagged: Callable[[Batch], object]) -> None:
        torch.manual_seed(0)
        self.collection, self._jagged = collection, jagged
        self._model = DLRM(collection, NUM_DENSE, list(BOTTOM), list(TOP))
        dense = [*self._model.dense_arch.parameters(), *self._model.over_arch.parameters()]
        self._optimizer = torch.optim.SGD(dense, lr=LEARNING_RATE)

    def train(self, work: Sequence[Batch]) -> None:
        """Takes one step a batch, the embedding optimizer inside backward."""
        for batch in work:
            self._optimizer.zero_grad()
            logits = self._model(batch.dense, self._jagged(batch)).squeeze(-1)
            nn.functional.binary_cross_entropy_with_logits(logits, batch.labels).backward()
            self._optimizer.step()

    def embed(self, work: Sequence[Batch]) -> None:
        """Takes the steps of the collection alone, with a gradient of ones."""
        for batch in work:
            values = self.collection(self._jagged(batch)).values()
            values.backward(torch.ones_like(values))


def ours(total: int) -> Side:
    """Builds our side and admits every id."""
    collection = EmbeddingBagCollection(_tables(total), lr=LEARNING_RATE)
    for feature, (table, size) in enumerate(
        zip(collection.tables.values(), sizes(total), strict=True)
    ):
        for start in range(0, size, FILL_BATCH):
            table.train_lookup(raw_ids(feature, np.arange(start, min(start + FILL_BATCH, size))))
    return Side(collection, lambda batch: batch.raw)


def torchrec(total: int) -> Side:
    """Builds TorchRec's side."""
    collection = FusedEmbeddingBagCollection(
        _tables(total), optimizer_type=RowWiseAdagrad, optimizer_kwargs={"lr": LEARNING_RATE}
    )
    return Side(collection, lambda batch: batch.indexed)


SIDES = {"ours": ours, "torchrec": torchrec}


def _tables(total: int) -> list[EmbeddingBagConfig]:
    return [
        EmbeddingBagConfig(name=key, embedding_dim=DIM, num_embeddings=size, feature_names=[key])
        for key, size in zip(KEYS, sizes(total), strict=True)
    ]


def speed(total: int, blocks: int) -> Iterator[Result]:
    """Measures whole training steps, then those of the collections alone."""
    drawn = batches(total, BATCH_SIZE, blocks * (WARMUP_CALLS + KEPT_CALLS) * PER_CALL)
    work = [drawn[start : start + PER_CALL] for start in range(0, len(drawn), PER_CALL)]
    own, peer = ours(total), torchrec(total)
    for key, target, take in (
        ("train_vs_torchrec", 1.0, Side.train),
        ("embedding_vs_torchrec", None, Side.embed),
    ):
        for threads, suffix in ((2, ""), (1, "_t1")):
            set_threads(threads)
            timed = paired(lambda w: take(own, w), lambda w: take(peer, w), work)  # noqa: B023
            yield speedup(key + suffix, timed, PER_CALL * BATCH_SIZE, "examples/s", target)


def memory(total: int) -> Iterator[Result]:
    """Measures the peak memory of each side in a process of its own."""
    peaks = {}
    for name in SIDES:
        command = [sys.executable, "-m", "benchmarks.train", "--peak-of", name, "--ids", str(total)]
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        peaks[name] = json.loads(run.stdout) / 2**30
        yield Result(f"peak_memory_gib_{name}", peaks[name], "GiB", at_most=True)
    yield Result("peak_memory_vs_torchrec", peaks["ours"] / peaks["torchrec"], at_most=True)


def main() -> None:
    """Measures both, or prints the peak memory of one side."""
    options = parser(__doc__ or "")
    options.add_argument("--peak-of", choices=SIDES, help="only print this side's peak bytes")
    options.add_argument("--ids", type=int, help="distinct ids over all features")
    given = options.parse_args()
    total = given.ids or (500_000 if given.quick else 10_000_000)
    if given.peak_of:
        work = batches(total, BATCH_SIZE, 10)
        SIDES[given.peak_of](total).train(work)
        print(peak_bytes())
        return
    results = []
    for section in (speed(total, 3 if given.quick else 8), memory(total)):
        for result in section:
            results.append(result)
            print(f"{result.key}: {result.value:.3g} {result.verdict}", flush=True)
    settings = {"ids": total, "dim": DIM, "batch_size": BATCH_SIZE, "features": len(KEYS)}
    report("benchmarks.train", results, settings, given.json)


if __name__ == "__main__":
    main()
