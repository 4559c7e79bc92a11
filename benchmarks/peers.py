"""What a stranger would use instead, each set up as its own documentation does."""

from collections.abc import Sequence

import torch
from fbgemm_gpu.split_embedding_configs import EmbOptimType
from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
    ComputeDevice,
    SplitTableBatchedEmbeddingBagsCodegen,
)
from torchrec.modules.mc_modules import DistanceLFU_EvictionPolicy, MCHManagedCollisionModule
from torchrec.sparse.jagged_tensor import JaggedTensor

from benchmarks.batches import Bags

LEARNING_RATE = 0.01


class TorchBag:
    """`torch.nn.EmbeddingBag(sparse=True)`, sum pooling, with `torch.optim.Adagrad`."""

    def __init__(self, num_rows: int, dim: int) -> None:
        self.module = torch.nn.EmbeddingBag(
            num_rows, dim, mode="sum", sparse=True, include_last_offset=True
        )
        self._optimizer: torch.optim.Optimizer | None = None

    def lookup(self, work: Sequence[Bags]) -> None:
        """Pools every batch, without autograd."""
        with torch.no_grad():
            for batch in work:
                self.module(torch.from_numpy(batch.dense), torch.from_numpy(batch.offsets))

    def step(self, work: Sequence[Bags], grad: torch.Tensor) -> None:
        """Takes one training step a batch: forward, backward, optimizer."""
        if self._optimizer is None:
            self._optimizer = torch.optim.Adagrad(self.module.parameters(), lr=LEARNING_RATE)
        for batch in work:
            self._optimizer.zero_grad()
            out = self.module(torch.from_numpy(batch.dense), torch.from_numpy(batch.offsets))
            out.backward(grad)
            self._optimizer.step()


class Tbe:
    """FBGEMM's table-batched embedding on the CPU, exact row-wise Adagrad fused into backward."""

    def __init__(self, num_rows: int, dim: int) -> None:
        self.module = SplitTableBatchedEmbeddingBagsCodegen(
            [(num_rows, dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
            optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
            pooling_mode=PoolingMode.SUM,
            learning_rate=LEARNING_RATE,
            device=torch.device("cpu"),
        )
        self.module.init_embedding_weights_uniform(-0.05, 0.05)

    def step(self, work: Sequence[Bags], grad: torch.Tensor) -> None:
        """Takes one training step a batch: forward, then backward with the fused optimizer."""
        for batch in work:
            out = self.module(torch.from_numpy(batch.dense), torch.from_numpy(batch.offsets))
            out.backward(grad)


class ManagedCollisions:
    """TorchRec's managed collision module: profile and remap raw ids to rows, in training.

    It sorts its ids once in `interval` steps, so a fair round is a multiple of `interval`.
    """

    def __init__(self, num_rows: int, interval: int) -> None:
        self.module = MCHManagedCollisionModule(
            zch_size=num_rows,
            device=torch.device("cpu"),
            eviction_policy=DistanceLFU_EvictionPolicy(),
            eviction_interval=interval,
        )

    def step(self, work: Sequence[Bags]) -> None:
        """Profiles and remaps every batch."""
        for batch in work:
            jagged = JaggedTensor(
                values=torch.from_numpy(batch.ids), offsets=torch.from_numpy(batch.offsets)
            )
            self.module.remap(self.module.profile({"f": jagged}))
