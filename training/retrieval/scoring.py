"""Scores of pairs beside those of negatives, and which of these are no negatives at all."""

from typing import NamedTuple

import torch
from torch import Tensor

from recsys_embed.errors import InputError


class Scored(NamedTuple):
    """What a loss judges: P pairs, each beside one of R rows of M negatives.

    Args:
        positive: float (P,), scores of the pairs.
        negative: float (R, M), scores of the negatives.
        rows: int64 (P,), the row of negatives beside each pair.
        excluded: bool (R, M), accidental hits and other cells that are no negatives.
        log_q: (M,) or (R, M), log of the chance that one draw is that negative; None: not drawn.
        positive_log_q: (P,), the same of the pairs' items.
        excluded_q: (R,), the chance that one draw is any of the items that the row excludes.
    """

    positive: Tensor
    negative: Tensor
    rows: Tensor
    excluded: Tensor
    log_q: Tensor | None = None
    positive_log_q: Tensor | None = None
    excluded_q: Tensor | None = None


class Uniform(NamedTuple):
    """M items drawn from all alike, to stand beside those of a batch.

    Args:
        vectors: (M, D).
        ids: int64 (M,).
        log_q: (M,), of how often *the batch's* draws are these items.
        num_items: from how many they were drawn.
    """

    vectors: Tensor
    ids: Tensor
    log_q: Tensor
    num_items: int


def in_batch(
    users: Tensor,
    items: Tensor,
    ids: Tensor,
    log_q: Tensor | None = None,
    uniform: Uniform | None = None,
) -> Scored:
    """Scores every user of a batch with every item of it: the others' items are the negatives.

    With `uniform`, its items are negatives too, and a negative's chance is that of the mixture
    that came of both: λ / N + (1 - λ) q, λ being the share of the draws that are uniform. Yang et
    al., Mixed negative sampling, WWW 2020 companion.

    Args:
        users: (B, D), the pairs' users.
        items: (B, D), their items.
        ids: int64 (B,), their items' ids; equal ones are accidental hits of each other.
        log_q: (B,), log of the chance that a pair of the log is of that item; None: not known,
            so that only losses without correction can be taken.
        uniform: further negatives.

    Raises:
        InputError: if `uniform` comes without `log_q`.

    Example:
        >>> scored = in_batch(torch.eye(2), torch.eye(2), torch.tensor([7, 7]))
        >>> scored.positive.tolist(), scored.excluded.all().item()
        ([1.0, 1.0], True)
    """
    positive, rows = (users * items).sum(1), torch.arange(len(users))
    if uniform is None:
        q = None if log_q is None else log_q.exp()
        return Scored(
            positive, users @ items.T, rows, ids[:, None] == ids, log_q, log_q, excluded_q=q
        )
    if log_q is None:
        raise InputError("mixed negatives need log_q of the batch's items, got None")
    share = len(uniform.ids) / (len(uniform.ids) + max(len(ids) - 1, 0))
    own, others = (mixture(q, share, uniform.num_items) for q in (log_q, uniform.log_q))
    everything = torch.cat([ids, uniform.ids])
    return Scored(
        positive,
        users @ torch.cat([items, uniform.vectors]).T,
        rows,
        ids[:, None] == everything,
        torch.cat([own, others]),
        own,
        own.exp(),
    )


def given(users: Tensor, items: Tensor, ids: Tensor, hard: Tensor, hard_ids: Tensor) -> Scored:
    """Scores each pair beside negatives of its own, such as items that an index found too near.

    Args:
        users: (B, D).
        items: (B, D).
        ids: int64 (B,).
        hard: (B, H, D), vectors of the negatives.
        hard_ids: int64 (B, H); a pair's own item among them is excluded.
    """
    negative = torch.einsum("bd,bhd->bh", users, hard)
    rows = torch.arange(len(users))
    return Scored((users * items).sum(1), negative, rows, hard_ids == ids[:, None])


def mixture(log_q: Tensor, share: float, num_items: int) -> Tensor:
    """Gives the log chance of draws that are uniform over `num_items` with a chance of `share`.

    Example:
        >>> mixture(torch.tensor([0.5]).log(), share=0.5, num_items=10).exp()
        tensor([0.3000])
    """
    return (share / num_items + (1 - share) * log_q.exp()).log()
