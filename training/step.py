"""One optimization step, and one pass of predictions that changes nothing."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from training.batches import Batch
from training.losses import log_loss
from training.recommender import Recommender


def train_step(
    model: Recommender, optimizer: torch.optim.Optimizer, batch: Batch, offset: float = 0.0
) -> NDArray[np.float32]:
    """Predicts, then learns; returns the log-odds (B,) from before learning.

    Backward updates the tables, the optimizer the dense layers. `offset` is by how much log-odds
    are higher among the events trained on than among all, where some were left out.
    """
    model.train()
    logits = model(batch)
    optimizer.zero_grad()
    log_loss(logits + offset, batch.labels).backward()
    optimizer.step()
    return logits.detach().numpy()


@torch.no_grad()
def predict(model: Recommender, batches: Iterable[Batch]) -> NDArray[np.float32]:
    """Returns the log-odds of all batches, one after another (n,); no table is changed."""
    model.eval()
    return np.concatenate([model(batch).numpy() for batch in batches] or [np.zeros(0, np.float32)])
