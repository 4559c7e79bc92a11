"""What retrieval minimizes: sampled softmax and its corrections, cosine contrast, pairwise ranking.

A loss takes `Scored` and gives a number a pair, (P,), so that pairs can be weighted. Losses of hard
negatives are losses of `given` scores, added with a weight.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from recsys_embed.errors import ConfigError
from training.retrieval.scoring import Scored

Correction = Literal["none", "logq", "corrected"]


class Loss(Protocol):
    """Judges scores."""

    def __call__(self, scored: Scored) -> Tensor:
        """Gives each pair's loss (P,)."""
        ...


@dataclass(frozen=True)
class SampledSoftmax:
    """Gives -log of a pair's share in a softmax over its item and the negatives.

    Negatives are drawn, popular items more often, and are pushed away more often for it. Against
    that, with scores f and chances Q:

    - "none": f as they are.
    - "logq": f - log Q, of the positive as well. Yi et al., RecSys 2019.
    - "corrected": the positive is always there and was not drawn, so that it stays f; a negative
      becomes f - log Q' - log n, of n negatives drawn with Q' = Q / (1 - Q of what is excluded).
      exp of these sums to an unbiased estimate of the same sum over all items but the positive,
      and the loss is that of the full softmax with it. Khrylchenko et al., arXiv 2507.09331: their
      loss, -sg(1 - p) (f - log of that sum), has the same gradient.

    What is excluded, accidental hits among it, has a probability of exactly 0.

    Args:
        temperature: what scores are divided by.
        correction: of the chances of negatives; scores without chances (`given`) need none.

    Example:
        >>> from training.retrieval.scoring import in_batch
        >>> scored = in_batch(torch.eye(3), torch.eye(3), torch.arange(3))
        >>> SampledSoftmax(1.0, "none")(scored)
        tensor([0.5514, 0.5514, 0.5514])
    """

    kind: ClassVar[str] = "softmax"
    temperature: float = 0.1
    correction: Correction = "corrected"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"temperature must be above 0, got {self.temperature}")

    def __call__(self, scored: Scored) -> Tensor:
        """Gives each pair's loss (P,)."""
        positive, negative = self.logits(scored)
        return softplus(torch.logsumexp(negative, 1)[scored.rows] - positive)

    def logits(self, scored: Scored) -> tuple[Tensor, Tensor]:
        """Gives those of the pairs (P,) and of the negatives (R, M), excluded ones at -inf."""
        positive, negative = (s / self.temperature for s in scored[:2])
        # in place, of what division has made: a pass over (R, M) is much of a step's time
        if scored.log_q is not None and self.correction == "logq":
            assert scored.positive_log_q is not None
            positive, negative = positive - scored.positive_log_q, negative.sub_(scored.log_q)
        elif scored.log_q is not None and self.correction == "corrected":
            negative = negative.sub_(scored.log_q).add_(_of_a_draw(scored))
        return positive, negative.masked_fill_(scored.excluded, -torch.inf)


def _of_a_draw(scored: Scored) -> Tensor:
    """Gives log((1 - Q of what is excluded) / n), (R, 1)."""
    assert scored.excluded_q is not None
    drawn = (~scored.excluded).sum(1).clamp(min=1)
    # an estimated chance may reach 1, where no other item would ever be drawn
    others = torch.log1p(-scored.excluded_q.clamp(max=1 - 1e-6))
    return (others - drawn.log())[:, None]


@dataclass(frozen=True)
class CosineContrastive:
    """Pulls pairs together, and pushes away the negatives that are nearer than a margin.

    1 - cos(u, i) + w * mean over negatives of max(0, cos(u, j) - m). Mao et al., SimpleX, arXiv
    2109.12613, equation 1. Scores must be cosines.

    Args:
        margin: m.
        negative_weight: w.

    Example:
        >>> from training.retrieval.scoring import in_batch
        >>> scored = in_batch(torch.eye(2), torch.eye(2), torch.arange(2))
        >>> CosineContrastive(margin=-0.5, negative_weight=2.0)(scored)
        tensor([1., 1.])
    """

    kind: ClassVar[str] = "ccl"
    margin: float = 0.9
    negative_weight: float = 150.0

    def __post_init__(self) -> None:
        if not -1 <= self.margin <= 1 or self.negative_weight < 0:
            raise ConfigError(
                "a cosine contrastive loss needs a margin in [-1, 1] and a negative_weight >= 0,"
                f" got {self.margin} and {self.negative_weight}"
            )

    def __call__(self, scored: Scored) -> Tensor:
        """Gives each pair's loss (P,)."""
        over = relu(scored.negative - self.margin).masked_fill(scored.excluded, 0.0)
        mean = over.sum(1) / (~scored.excluded).sum(1).clamp(min=1)
        return 1 - scored.positive + self.negative_weight * mean[scored.rows]


@dataclass(frozen=True)
class PairwiseRanking:
    """Gives the mean over the negatives of -log sigmoid(positive - negative).

    Rendle et al., BPR, arXiv 1205.2618, equation 1, with any number of negatives.

    Example:
        >>> from training.retrieval.scoring import in_batch
        >>> scored = in_batch(torch.eye(2), torch.eye(2), torch.arange(2))
        >>> PairwiseRanking()(scored)
        tensor([0.3133, 0.3133])
    """

    kind: ClassVar[str] = "bpr"

    def __call__(self, scored: Scored) -> Tensor:
        """Gives each pair's loss (P,)."""
        excluded = scored.excluded[scored.rows]
        each = softplus(scored.negative[scored.rows] - scored.positive[:, None])
        return each.masked_fill(excluded, 0.0).sum(1) / (~excluded).sum(1).clamp(min=1)


RetrievalLoss = SampledSoftmax | CosineContrastive | PairwiseRanking
