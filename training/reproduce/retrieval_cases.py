"""What retrieval-gowalla trains: a base, what propagates its vectors, and a loss."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from recsys_embed.row_maps import Collisionless
from training.retrieval.embedding import MappedEmbedding
from training.retrieval.interactions import Interactions
from training.retrieval.models import Cosine, HistoryTower, MatrixFactorization, Propagated
from training.retrieval.ngcf import NGCF
from training.retrieval.objectives import AnyObjective


@dataclass(frozen=True)
class Case:
    """Says what a case trains.

    Args:
        base: "factors", a vector a user and a vector an item; or "history", whose users have the
            mean of their items' vectors too.
        objective: with its loss.
        graph: what vectors are propagated by, if by anything.
        layers: of the propagation.
        cosine: whether scores are cosines.
        lr: of Adam.
        weight_decay: of Adam.
        epochs: at the most.
        share: of the history.
        deviation: of initial values; 0: xavier-uniform ones. Where only directions count, longer
            vectors turn by less in a step.
    """

    base: Literal["factors", "history"]
    objective: AnyObjective
    graph: Literal["none", "lightgcn", "ngcf"] = "none"
    layers: int = 2
    cosine: bool = True
    lr: float = 1e-2
    weight_decay: float = 0.0
    epochs: int = 60
    share: float = 0.5
    deviation: float = 0.0


def model_of(case: Case, interactions: Interactions, dim: int, seed: int) -> nn.Module:
    """Builds what a case trains, with initial values of a seed; dropout draws from torch's own."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    users, items = (
        MappedEmbedding(Collisionless(), np.arange(number), dim, generator=generator)
        for number in (interactions.num_users, interactions.num_items)
    )
    if case.deviation:
        for embedding in (users, items):
            nn.init.normal_(embedding.rows, 0.0, case.deviation, generator)
    model: nn.Module = MatrixFactorization(users, items)
    if case.base == "history":
        model = HistoryTower(users, items, interactions, case.share)
    if case.graph == "lightgcn":
        model = Propagated(model, interactions, case.layers)
    elif case.graph == "ngcf":
        model = NGCF(model, interactions, (dim,) * case.layers, generator=generator)
    return Cosine(model) if case.cosine else model
