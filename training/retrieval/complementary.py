"""What goes with what, and what stands in for what: two vectors an item, learned from baskets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import logsigmoid

from recsys_embed import RowwiseAdagrad, TableConfig, Uniform
from recsys_embed.errors import ConfigError
from recsys_embed.nn import Embedding
from recsys_embed.retrieval.inputs import Bag

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ComplementaryFrom:
    """Says how dual vectors are learned.

    Args:
        dim: of the vectors.
        epochs: passes over the baskets.
        contexts: others of its basket that an item is paired with in a pass, drawn anew.
        negatives: how many negatives a pair counts.
        shared: of which so many different ones are drawn for a batch.
        power: items are drawn as negatives by frequency to this power; 1 as often as they are
            bought, 0 all alike.
        batch_size: pairs a step.
        lr: of row-wise Adagrad.
    """

    dim: int = 32
    epochs: int = 4
    contexts: int = 4
    negatives: int = 5
    shared: int = 256
    power: float = 0.75
    batch_size: int = 4096
    lr: float = 0.1

    def __post_init__(self) -> None:
        for name in ("dim", "epochs", "contexts", "negatives", "shared", "batch_size", "lr"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"complementary.{name} must be above 0")
        if not 0 <= self.power <= 1:
            raise ConfigError(f"complementary.power must be in [0, 1], got {self.power}")


class Dual(NamedTuple):
    """Both vectors of each of I items, float32 (I, D).

    Items with near inward vectors are bought beside the same items: they are alike. An item whose
    outward vector is near another's inward one is bought with it.
    """

    inward: Floats
    outward: Floats


def learn_dual(
    items: Bag,
    num_items: int,
    config: ComplementaryFrom,
    seed: int = 0,
    hears: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Dual:
    """Learns by skip-gram with negative sampling, whose window is the whole basket.

    A pair (i, j) of a basket minimizes -log s(u_i v_j) - n E[log s(-u_i v_k)], s the logistic
    function, n negatives k drawn by frequency. Mikolov et al., arXiv 1310.4546, equation 4; both
    vectors are kept as Overstock does, arXiv 2211.14982.

    Args:
        items: numbers of the items in each basket, distinct within it.
        num_items: of the catalogue; what is alone in all its baskets keeps zeros.
        config: of the training.
        seed: of the initial values and all draws.
        hears: is told each epoch's number and mean loss.
    """
    tables = [_table(name, config, seed) for name in ("inward", "outward")]
    rng = np.random.default_rng(seed)
    counts = np.bincount(items.values, minlength=num_items).astype(np.float64)
    chances = counts**config.power * (counts > 0)
    chances /= max(chances.sum(), 1)
    for epoch in range(1, config.epochs + 1):
        losses = [
            _step(tables, pairs, rng.choice(num_items, config.shared, p=chances), config)
            for pairs in _pairs(items, config, rng)
        ]
        hears(epoch, float(np.mean(losses)) if losses else 0.0)
    every = np.arange(num_items)
    inward, outward = (table.table.lookup(every, missing="zeros") for table in tables)
    return Dual(inward, outward)


def _table(name: str, config: ComplementaryFrom, seed: int) -> Embedding:
    bound = 0.5 / config.dim
    initializer = Uniform(-bound, bound)
    return Embedding(
        TableConfig.of(
            name, config.dim, optimizer=RowwiseAdagrad(), initializer=initializer, seed=seed
        ),
        lr=config.lr,
    )


def _step(
    tables: list[Embedding], pairs: tuple[Ints, Ints], drawn: Ints, config: ComplementaryFrom
) -> float:
    inward, outward = tables
    u = inward(torch.from_numpy(pairs[0]))
    v = outward(torch.from_numpy(np.concatenate([pairs[1], drawn])))
    positive = (u * v[: len(u)]).sum(1)
    negative = u @ v[len(u) :].T
    loss = -(logsigmoid(positive) + config.negatives * logsigmoid(-negative).mean(1))
    # the sum: each row's step is of its own pairs, however many others the batch has
    loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's
    return float(loss.detach().mean())


def _pairs(
    items: Bag, config: ComplementaryFrom, rng: np.random.Generator
) -> Iterator[tuple[Ints, Ints]]:
    """Pairs every item with others of its basket, in batches of a random order."""
    lengths = np.diff(items.offsets)
    starts, sizes = np.repeat(items.offsets[:-1], lengths), np.repeat(lengths, lengths)
    chosen = np.repeat(np.flatnonzero(sizes > 1), config.contexts)
    rng.shuffle(chosen)
    for first in range(0, len(chosen), config.batch_size):
        at = chosen[first : first + config.batch_size]
        within = at - starts[at]
        # one of the others: those before the item, and behind it one further
        other = (rng.random(len(at)) * (sizes[at] - 1)).astype(np.int64)
        other += other >= within
        yield items.values[at], items.values[starts[at] + other]
