"""Two towers trained in the run on a real log: who checked in where, or who bought what."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs, read_adjacency

DIM, HIDDEN, TEMPERATURE = 64, 128, 0.1
BATCH, LR, MAX_HISTORY = 1024, 2e-3, 50
RETAIL = Path("data/online-retail/online_retail.parquet")

Float = NDArray[np.float32]


class UserTower(nn.Module):
    """A user's vector is a two-layer network of the mean of some items they chose, of length 1."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.items = nn.EmbeddingBag(num_items + 1, DIM, mode="mean", padding_idx=num_items)
        self.layers = nn.Sequential(nn.Linear(DIM, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, DIM))

    def forward(self, histories: Tensor) -> Tensor:
        return self.of_means(self.items(histories))

    def of_means(self, means: Tensor) -> Tensor:
        """Takes the means (B, DIM) themselves."""
        return nn.functional.normalize(self.layers(means))


class Towers(NamedTuple):
    """What was learned.

    Attributes:
        log: whose.
        users: vectors of all users, (U, DIM).
        items: vectors of all items, (I, DIM).
        tower: that made the users' vectors.
        histories: what it made them of: items (U, MAX_HISTORY), padded with I.
        loss: mean of the last epoch, in nats.
    """

    log: str
    users: Float
    items: Float
    tower: UserTower
    histories: NDArray[np.int64]
    loss: float


def learn(epochs: int, num_users: int | None = None) -> Towers:
    """Trains on Gowalla if RECSYS_DATA has it, on the retail data of the repository otherwise.

    Args:
        epochs: passes over the pairs.
        num_users: only the first so many users; None: all.
    """
    gowalla = Path(os.environ.get("RECSYS_DATA", "../shared/data")) / "gowalla"
    log, pairs = ("gowalla", read_adjacency(gowalla)) if gowalla.is_dir() else ("retail", _retail())
    if num_users is not None:
        pairs = pairs.of_users(num_users)
    torch.manual_seed(0)
    histories = _histories(pairs.train, pairs.num_users, pairs.num_items)
    tower, items = UserTower(pairs.num_items), nn.Embedding(pairs.num_items, DIM)
    nn.init.normal_(items.weight, std=DIM**-0.5)
    loss = _train(tower, items, pairs.train, torch.from_numpy(histories), epochs)
    with torch.no_grad():
        users = tower(torch.from_numpy(histories)).numpy()
    return Towers(log, users, items.weight.detach().numpy(), tower, histories, loss)


def _train(
    tower: UserTower, items: nn.Embedding, pairs: Pairs, histories: Tensor, epochs: int
) -> float:
    """Trains by in-batch sampled softmax with logQ correction (Yi et al., RecSys 2019, section 3).

    The user's vector has length 1; an item's length is free, so that popular items grow longer.
    """
    optimizer = torch.optim.Adam([*tower.parameters(), *items.parameters()], lr=LR, fused=True)
    count = np.bincount(pairs.items, minlength=items.num_embeddings)
    log_q = torch.from_numpy(np.log(np.maximum(count, 1)))
    losses: list[float] = []
    for _ in range(epochs):
        losses.clear()
        for chosen in torch.randperm(len(pairs.users)).split(BATCH):
            users, places = (torch.from_numpy(side)[chosen] for side in pairs)
            others = histories[users].masked_fill(
                histories[users] == places[:, None], items.num_embeddings
            )
            scores = tower(others) @ items(places).T / TEMPERATURE - log_q[places]
            hits = (places[:, None] == places).fill_diagonal_(False)
            loss = nn.functional.cross_entropy(
                scores.masked_fill(hits, -torch.inf), torch.arange(len(places))
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def _histories(pairs: Pairs, num_users: int, num_items: int) -> NDArray[np.int64]:
    """Gives up to MAX_HISTORY random items of each user, padded with `num_items`."""
    order = np.lexsort((np.random.default_rng(0).random(len(pairs.users)), pairs.users))
    users, items = pairs.users[order], pairs.items[order]
    place = np.arange(len(users)) - np.searchsorted(users, users)
    histories = np.full((num_users, MAX_HISTORY), num_items)
    few = place < MAX_HISTORY
    histories[users[few], place[few]] = items[few]
    return histories


def _retail() -> Interactions:
    """Reads who bought what, each pair once."""
    names = ["customer_id", "description"]
    rows = pl.read_parquet(RETAIL, columns=names).drop_nulls().unique(maintain_order=True)
    users, items = (rows[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in names)
    pairs = Pairs(users, items)
    return Interactions(users.max() + 1, items.max() + 1, pairs, NO_PAIRS, NO_PAIRS)
