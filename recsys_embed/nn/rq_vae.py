"""Trains an RQ-VAE on content vectors, without letting its codebooks collapse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from recsys_embed.errors import ConfigError
from recsys_embed.nn.rq_vae_network import Quantized, RQVAENetwork
from recsys_embed.semantic_ids import Codebooks
from recsys_embed.semantic_ids.health import bucket_sizes, perplexity
from recsys_embed.semantic_ids.residual_kmeans import ResidualKMeans, sample_of

NO_LIMIT = 2**62


class Epoch(NamedTuple):
    """How one pass over N items went, each item as it was met.

    Args:
        epoch: from 1.
        loss: the mean.
        relative_error: sum |x - reconstruction|^2 / sum |x|^2.
        perplexity: by level, as in `Health`.
        dead_codes: by level.
        unique_ids: distinct semantic IDs / N.
    """

    epoch: int
    loss: float
    relative_error: float
    perplexity: tuple[float, ...]
    dead_codes: tuple[int, ...]
    unique_ids: float


@dataclass(frozen=True)
class RQVAE:
    """Learns semantic IDs by an RQ-VAE with Adam.

    Two things keep codes alive: codebooks begin as residual k-means of what the encoder gives after
    `warmup` epochs without quantization, and every `reset_every` steps a code that nothing was
    given since the last time moves to a random residual of the batch.

    Singh et al., arXiv 2306.08121, §3 and appendix (resets).

    Args:
        levels: L.
        codes: K a level.
        dim: D, of code space.
        hidden: widths of the encoder's hidden layers.
        beta: weight of the commitment loss.
        epochs: passes over the items.
        warmup: passes before, as a plain autoencoder.
        batch_size: items a step.
        lr: of Adam.
        reset_every: steps between resets of dead codes; 0: never.
        starts_from_kmeans: else codebooks begin at random.
        seed: of all randomness.

    Example:
        >>> contents = np.random.default_rng(0).standard_normal((200, 8))
        >>> codebooks = RQVAE(levels=2, codes=8, dim=4, hidden=(16,), epochs=2).fit(contents)
        >>> codebooks.encode(contents).shape
        (200, 2)
    """

    levels: int = 3
    codes: int = 256
    dim: int = 32
    hidden: tuple[int, ...] = (256, 128)
    beta: float = 0.25
    epochs: int = 60
    warmup: int = 1
    batch_size: int = 512
    lr: float = 1e-3
    reset_every: int = 50
    starts_from_kmeans: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        ResidualKMeans(self.levels, self.codes, seed=self.seed)
        for name in ("dim", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(f"RQVAE.{name} must be 1 or more, got {getattr(self, name)}")
        for name in ("beta", "warmup", "reset_every"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"RQVAE.{name} must be 0 or more, got {getattr(self, name)}")
        if not self.lr > 0 or min(self.hidden, default=1) < 1:
            raise ConfigError(
                f"RQVAE.lr and RQVAE.hidden must be above 0, got {self.lr} and {self.hidden}"
            )

    def fit(
        self, contents: ArrayLike, on_epoch: Callable[[Epoch], None] | None = None
    ) -> Codebooks:
        """Learns codebooks of N contents, with encoder and decoder.

        The same contents and seed give the same codebooks on one machine with as many threads.

        Args:
            contents: (N, width), rounded to float32.
            on_epoch: hears how each epoch went.

        Raises:
            InputError: for fewer items, or fewer distinct contents, than codes; or naming the
                first content that is not finite.
        """
        given = sample_of(contents, self.codes, NO_LIMIT, self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            training = _Training(self, torch.from_numpy(given))
            for _ in range(self.warmup):
                training.warm_up()
            training.place_codes()
            for epoch in range(1, self.epochs + 1):
                figures = training.epoch(epoch)
                if on_epoch:
                    on_epoch(figures)
        return training.network.codebooks()


class _Training:
    def __init__(self, config: RQVAE, contents: Tensor) -> None:
        self.network = RQVAENetwork(
            contents.shape[1], config.hidden, config.dim, config.levels, config.codes, config.beta
        )
        self._config, self._contents = config, contents
        self._adam = torch.optim.Adam(self.network.parameters(), config.lr)
        self._used = torch.zeros(config.levels, config.codes, dtype=torch.bool)
        self._steps = 0

    def warm_up(self) -> None:
        """Passes over the items once without quantization."""
        for batch in self._batches():
            contents = self._contents[batch]
            reconstruction = self.network.decoder(self.network.encoder(contents))
            self._step((contents - reconstruction).square().sum(dim=1).mean())

    def place_codes(self) -> None:
        """Begins with the codebooks of residual k-means in code space."""
        if not self._config.starts_from_kmeans:
            return
        with torch.no_grad():
            latent = self.network.encoder(self._contents).numpy()
            kmeans = ResidualKMeans(self._config.levels, self._config.codes, seed=self._config.seed)
            self.network.vectors.copy_(torch.from_numpy(kmeans.fit(latent).vectors))

    def epoch(self, number: int) -> Epoch:
        """Passes over the items once."""
        codes, losses, error = [], [], 0.0
        for batch in self._batches():
            quantized = self.network(self._contents[batch])
            self._step(quantized.loss)
            self._reset_dead(quantized)
            codes.append(quantized.codes.numpy())
            losses.append(quantized.loss.item() * len(batch))
            error += float(quantized.error.sum())
        return self._figures(number, np.concatenate(codes), sum(losses), error)

    def _batches(self) -> Iterator[Tensor]:
        order, size = torch.randperm(len(self._contents)), self._config.batch_size
        return (order[start : start + size] for start in range(0, len(order), size))

    def _step(self, loss: Tensor) -> None:
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()

    def _reset_dead(self, quantized: Quantized) -> None:
        for level, chosen in enumerate(quantized.codes.T):
            self._used[level, chosen] = True
        self._steps += 1
        if not self._config.reset_every or self._steps % self._config.reset_every:
            return
        for level, residuals in enumerate(quantized.residuals):
            dead = torch.nonzero(~self._used[level])[:, 0]
            drawn = torch.randint(len(residuals), (len(dead),))
            self.network.vectors.data[level, dead] = residuals[drawn]
            for name in ("exp_avg", "exp_avg_sq"):  # else the old place's momentum would move them
                self._adam.state[self.network.vectors][name][level, dead] = 0
        self._used.zero_()

    def _figures(self, epoch: int, codes: NDArray[np.int64], loss: float, error: float) -> Epoch:
        counts = [np.bincount(level, minlength=self._config.codes) for level in codes.T]
        whole = float(self._contents.double().square().sum())
        return Epoch(
            epoch,
            loss / len(codes),
            error / whole if whole else 0.0,
            tuple(perplexity(level) for level in counts),
            tuple(int(np.count_nonzero(level == 0)) for level in counts),
            len(bucket_sizes(codes)) / len(codes),
        )
