"""Two towers trained in the run on a real log: who checked in where, 41 k places of Gowalla."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.retrieval.interactions import Pairs, read_adjacency

DIM, HIDDEN, TEMPERATURE = 64, 128, 0.1
BATCH, LR, MAX_HISTORY = 1024, 2e-3, 50

Float = NDArray[np.float32]


class Towers(NamedTuple):
    """Vectors of all users (U, D) and items (I, D), and the last epoch's mean loss in nats."""

    users: Float
    items: Float
    loss: float


class UserTower(nn.Module):
    """A user's vector is a two-layer network of the mean of some items they chose."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.items = nn.EmbeddingBag(num_items + 1, DIM, mode="mean", padding_idx=num_items)
        self.layers = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM))

    def forward(self, histories: Tensor) -> Tensor:
        vectors: Tensor = self.layers(self.items(histories))
        return nn.functional.normalize(vectors)


def train(pairs: Pairs, num_users: int, num_items: int, epochs: int) -> Towers:
    """Trains by in-batch sampled softmax with logQ correction (Yi et al., RecSys 2019, §3).

    The user's vector has length 1; an item's length is free, so that popular items grow longer.
    """
    torch.manual_seed(0)
    histories = torch.from_numpy(_histories(pairs, num_users, num_items))
    tower, items = UserTower(num_items), nn.Embedding(num_items, DIM)
    nn.init.normal_(items.weight, std=DIM**-0.5)
    optimizer = torch.optim.Adam([*tower.parameters(), *items.parameters()], lr=LR, fused=True)
    log_q = torch.from_numpy(np.log(np.maximum(np.bincount(pairs.items, minlength=num_items), 1)))
    mean = 0.0
    for _ in range(epochs):
        losses = []
        for chosen in torch.randperm(len(pairs.users)).split(BATCH):
            users, places = (torch.from_numpy(side)[chosen] for side in pairs)
            scores = tower(_without(histories[users], places, num_items)) @ items(places).T
            scores = scores / TEMPERATURE - log_q[places]
            same = (places[:, None] == places).fill_diagonal_(False)  # accidental hits
            loss = nn.functional.cross_entropy(
                scores.masked_fill(same, -torch.inf), torch.arange(len(places))
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        mean = float(np.mean(losses))
    with torch.no_grad():
        return Towers(tower(histories).numpy(), items.weight.numpy(), mean)


def gowalla(epochs: int, num_users: int | None = None) -> Towers | None:
    """Trains on Gowalla's train part, of its first users if told how many.

    Gives nothing where RECSYS_DATA does not hold it.
    """
    folder = Path(os.environ.get("RECSYS_DATA", "../shared/data")) / "gowalla"
    if not folder.is_dir():
        return None
    parts = read_adjacency(folder)
    if num_users is not None:
        parts = parts.of_users(num_users)
    return train(parts.train, parts.num_users, parts.num_items, epochs)


def _histories(pairs: Pairs, num_users: int, num_items: int) -> NDArray[np.int64]:
    """Gives up to MAX_HISTORY random items of each user, padded with `num_items`."""
    order = np.lexsort((np.random.default_rng(0).random(len(pairs.users)), pairs.users))
    users, items = pairs.users[order], pairs.items[order]
    place = np.arange(len(users)) - np.searchsorted(users, users)
    histories = np.full((num_users, MAX_HISTORY), num_items)
    few = place < MAX_HISTORY
    histories[users[few], place[few]] = items[few]
    return histories


def _without(histories: Tensor, places: Tensor, padding: int) -> Tensor:
    """Takes the item to predict out of its user's history."""
    return histories.masked_fill(histories == places[:, None], padding)
