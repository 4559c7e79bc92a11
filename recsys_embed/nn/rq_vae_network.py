"""RQ-VAE: an autoencoder whose code is quantized level by level."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recsys_embed.semantic_ids import Codebooks
from recsys_embed.semantic_ids.networks import Perceptron


class Quantized(NamedTuple):
    """What one forward gives for B contents.

    Args:
        codes: int64 (B, L).
        residuals: (L, B, D), what each level had to quantize, without gradient.
        reconstruction: (B, width).
        loss: |x - reconstruction|^2 + sum_l |sg[r_l] - e_l|^2 + beta |r_l - sg[e_l]|^2, summed over
            dimensions, mean over contents.
        error: (B,), |x - reconstruction|^2, without gradient.
    """

    codes: Tensor
    residuals: Tensor
    reconstruction: Tensor
    loss: Tensor
    error: Tensor


class RQVAENetwork(nn.Module):
    """Encodes contents, quantizes them by L codebooks of residuals, and decodes.

    z = Enc(x); c_l = argmin_k |r_l - e^l_k|^2, r_1 = z, r_{l+1} = r_l - e^l_{c_l};
    reconstruction = Dec(z + sg[sum_l e^l_{c_l} - z]). Codes learn from their own level's residuals
    alone, which is why r_l carries no gradient to the codes of the levels before.

    Zeghidour et al., arXiv 2107.03312, §III-C (residual quantizer); Singh et al., arXiv 2306.08121,
    §3 (semantic IDs).

    Args:
        width: of contents.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        dim: D, of code space.
        levels: L.
        codes: K a level.
        beta: weight of the commitment loss.

    Example:
        >>> network = RQVAENetwork(width=8, hidden=(16,), dim=4, levels=3, codes=5)
        >>> network(torch.randn(7, 8)).codes.shape
        torch.Size([7, 3])
    """

    def __init__(
        self,
        width: int,
        hidden: Sequence[int],
        dim: int,
        levels: int,
        codes: int,
        beta: float = 0.25,
    ) -> None:
        super().__init__()
        self.encoder = perceptron([width, *hidden, dim])
        self.decoder = perceptron([dim, *hidden[::-1], width])
        self.vectors = nn.Parameter(torch.randn(levels, codes, dim) / dim)
        self.beta = beta

    def forward(self, contents: Tensor) -> Quantized:
        """Quantizes contents (B, width)."""
        latent = self.encoder(contents)
        rest, total = latent, torch.zeros_like(latent)
        codes, residuals, losses = [], [], []
        for vectors in self.vectors:
            chosen = nearest(rest.detach(), vectors.detach())
            code = vectors[chosen]
            losses.append(squares(rest.detach() - code) + self.beta * squares(rest - code.detach()))
            codes.append(chosen)
            residuals.append(rest.detach())
            rest, total = rest - code.detach(), total + code.detach()
        reconstruction = self.decoder(latent + (total - latent).detach())
        error = squares(contents - reconstruction)
        loss = (error + torch.stack(losses).sum(0)).mean()
        return Quantized(
            torch.stack(codes, 1), torch.stack(residuals), reconstruction, loss, error.detach()
        )

    def codebooks(self) -> Codebooks:
        """Exports all that has been learned as arrays; encoding then needs numpy alone."""
        vectors = self.vectors.detach().float().numpy()
        return Codebooks(vectors.copy(), exported(self.encoder), exported(self.decoder))


def perceptron(widths: Sequence[int]) -> nn.Sequential:
    """Builds linear layers of these widths with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.ReLU()] * bool(layers) + [nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def exported(network: nn.Sequential) -> Perceptron:
    """Gives the layers of `perceptron` as arrays."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    widths = [layers[0].in_features, *(layer.out_features for layer in layers)]
    flat = [t.detach().float().numpy().ravel() for n in layers for t in (n.weight, n.bias)]
    return Perceptron(np.array(widths, np.int64), np.concatenate(flat))


def nearest(points: Tensor, vectors: Tensor) -> Tensor:
    """Gives each of B points (B, D) its nearest vector of (K, D), int64 (B,)."""
    scores = torch.addmm(-squares(vectors) / 2, points, vectors.T)
    return scores.argmax(dim=1)


def squares(values: Tensor) -> Tensor:
    """Gives |v|^2 of the last dimension, summed over it and not averaged.

    The mean would put reconstruction and quantization losses on different scales, and all items
    into a few codes.
    """
    return values.square().sum(dim=-1)
