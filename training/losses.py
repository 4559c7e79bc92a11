"""What training minimizes."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def log_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Gives the mean of -log p(label), in nats, from log-odds (B,) and labels (B,)."""
    return binary_cross_entropy_with_logits(logits, labels)
