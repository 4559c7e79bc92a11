"""Losses by law: against the full softmax, against the papers' formulas, and accidental hits."""

import numpy as np
import pytest
import torch
from hypothesis import given as given_by
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from recsys_embed.errors import ConfigError, InputError
from training.retrieval.losses import (
    CosineContrastive,
    PairwiseRanking,
    RetrievalLoss,
    SampledSoftmax,
)
from training.retrieval.scoring import Scored, Uniform, given, in_batch, mixture

ITEMS = 12
POPULAR = torch.arange(1, ITEMS + 1).double().pow(1.0)
POPULAR = POPULAR / POPULAR.sum()
LOSSES = [
    SampledSoftmax(0.7, "none"),
    SampledSoftmax(0.7, "logq"),
    SampledSoftmax(0.7, "corrected"),
    CosineContrastive(0.1, 3.0),
    PairwiseRanking(),
]


def planted_scores() -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(0, 0.4, ITEMS)).requires_grad_()


def drawn(scores: Tensor, positives: Tensor, chances: Tensor, number: int) -> Scored:
    """Each positive beside `number` items drawn with these chances, hits of it excluded."""
    generator = torch.Generator().manual_seed(0)
    rows = len(positives)
    items = torch.multinomial(chances, rows * number, replacement=True, generator=generator)
    items = items.view(rows, number)
    return Scored(
        scores[positives],
        scores[items],
        torch.arange(rows),
        items == positives[:, None],
        chances[items].log(),
        chances[positives].log(),
        chances[positives],
    )


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of, retain_graph=True)[0]


@pytest.mark.parametrize("positive", [0, 5, ITEMS - 1])
def test_corrections_bring_the_expected_gradient_to_the_full_softmax(positive: int) -> None:
    scores = planted_scores()
    full = gradient(-torch.log_softmax(scores / 0.7, 0)[positive], scores)
    positives = torch.full((4000,), positive)
    distance = {}
    for correction in ("none", "logq", "corrected"):
        judged = drawn(scores, positives, POPULAR, 200)
        loss = SampledSoftmax(0.7, correction)(judged).mean()
        distance[correction] = float((gradient(loss, scores) - full).abs().max())
    assert distance["corrected"] < 0.02
    assert distance["corrected"] < distance["logq"] / 3
    assert distance["corrected"] < distance["none"] / 3


def test_the_corrected_loss_is_the_full_one_when_everything_is_drawn_once() -> None:
    scores = planted_scores()
    everything = torch.arange(ITEMS)
    scored = Scored(
        scores,
        scores.expand(ITEMS, ITEMS),
        everything,
        torch.eye(ITEMS, dtype=torch.bool),
        torch.full((ITEMS,), 1 / ITEMS).double().log(),
        None,
        torch.full((ITEMS,), 1 / ITEMS).double(),
    )
    expected = -torch.log_softmax(scores / 0.7, 0)
    torch.testing.assert_close(SampledSoftmax(0.7)(scored), expected)


def test_the_gradient_is_that_of_the_paper_s_loss() -> None:
    scores = planted_scores()
    scored = drawn(scores, torch.arange(ITEMS), POPULAR, 9)
    ours = gradient(SampledSoftmax(0.7)(scored).sum(), scores)
    own, others = scored.positive / 0.7, scored.negative / 0.7
    chances = scored.log_q.exp() / (1 - scored.positive_log_q.exp())[:, None]
    terms = torch.where(scored.excluded, 0.0, others.exp() / chances)
    number = (~scored.excluded).sum(1)
    share = own.exp() / (own.exp() + terms.sum(1) / number)
    paper = -(1 - share).detach() * (own - terms.sum(1).log())
    torch.testing.assert_close(ours, gradient(paper.sum(), scores))


def test_logq_is_cross_entropy_of_shifted_scores() -> None:
    generator = torch.Generator().manual_seed(1)
    users, items = (torch.randn(7, 3, generator=generator) for _ in range(2))
    log_q = torch.rand(7, generator=generator).log()
    scored = in_batch(users, items, torch.arange(7), log_q)
    for correction, shift in (("none", torch.zeros(7)), ("logq", log_q)):
        shifted = users @ items.T / 0.5 - shift
        expected = cross_entropy(shifted, torch.arange(7), reduction="none")
        torch.testing.assert_close(SampledSoftmax(0.5, correction)(scored), expected)


@pytest.mark.parametrize("correction", ["none", "logq", "corrected"])
def test_accidental_hits_have_a_probability_of_exactly_zero(correction: str) -> None:
    ids = torch.tensor([4, 9, 4, 7, 9])
    users = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    items = torch.randn(10, 3, generator=torch.Generator().manual_seed(3))[ids]
    scored = in_batch(users, items, ids, torch.full((5,), 0.2).log())
    positive, negative = SampledSoftmax(0.1, correction).logits(scored)
    shares = torch.softmax(torch.cat([positive[:, None], negative], 1), 1)[:, 1:]
    same = ids[:, None] == ids
    assert (shares[same] == 0).all() and (shares[~same] > 0).all()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: repr(loss))
def test_what_is_excluded_changes_nothing(loss: RetrievalLoss) -> None:
    scored = drawn(planted_scores(), torch.arange(ITEMS), POPULAR, 9)
    assert scored.excluded.any()
    changed = scored._replace(negative=scored.negative + 50.0 * scored.excluded)
    assert torch.equal(loss(scored), loss(changed))
    slope = gradient(loss(changed).sum(), changed.negative)
    assert (slope[scored.excluded] == 0).all() and not slope.isnan().any()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: repr(loss))
@given_by(size=st.integers(0, 4))
def test_batches_of_any_size_and_of_one_item_alone_have_a_loss(
    loss: RetrievalLoss, size: int
) -> None:
    vectors = torch.ones(size, 3, requires_grad=True)
    for ids in (torch.arange(size), torch.zeros(size, dtype=torch.long)):
        losses = loss(in_batch(vectors, vectors, ids, torch.full((size,), -1.0)))
        assert losses.shape == (size,) and losses.isfinite().all()
        assert gradient(losses.sum(), vectors).isfinite().all()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: repr(loss))
def test_pairs_may_share_a_row_of_negatives(loss: RetrievalLoss) -> None:
    generator = torch.Generator().manual_seed(4)
    positive, negative = (torch.randn(3, n, generator=generator) for n in (1, 8))
    chances = torch.full((8,), -2.0), torch.full((6,), -2.0), torch.full((3,), 0.1)
    rows = torch.tensor([2, 0, 0, 1, 2, 2])
    excluded = torch.rand(3, 8, generator=generator) < 0.2
    shared = Scored(positive[rows, 0], negative, rows, excluded, *chances)
    apart = shared._replace(
        negative=negative[rows],
        excluded=excluded[rows],
        rows=torch.arange(6),
        excluded_q=chances[2][rows],
    )
    torch.testing.assert_close(loss(shared), loss(apart))


def test_mixed_negatives_are_corrected_with_the_mixture() -> None:
    """A batch drawn by popularity beside uniform items: together they estimate the full softmax."""
    scores, generator = planted_scores(), torch.Generator().manual_seed(5)
    one = torch.ones(1, 1, dtype=torch.float64)
    totals = torch.zeros(2, ITEMS, dtype=torch.float64)
    for _ in range(600):
        ids = torch.multinomial(POPULAR, 48, replacement=True, generator=generator)
        others = torch.randint(ITEMS, (47,), generator=generator)
        uniform = Uniform(scores[others, None], others, POPULAR[others].log(), ITEMS)
        log_q = POPULAR[ids].log()
        scored = in_batch(one.expand(48, 1), scores[ids, None], ids, log_q, uniform)
        totals[0] += gradient(SampledSoftmax(1.0)(scored).mean(), scores)
        everything = torch.cat([ids, others])
        unmixed = scored._replace(log_q=POPULAR[everything].log(), excluded_q=POPULAR[ids])
        totals[1] += gradient(SampledSoftmax(1.0)(unmixed).mean(), scores)
    full = -(POPULAR * torch.log_softmax(scores, 0)).sum()
    mixed, plain = ((total / 600 - gradient(full, scores)).abs().max() for total in totals)
    assert mixed < 0.01 and mixed < plain / 3


def test_the_mixture_is_a_distribution() -> None:
    for share in (0.0, 0.3, 1.0):
        assert float(mixture(POPULAR.log(), share, ITEMS).exp().sum()) == pytest.approx(1.0)


def test_mixed_negatives_need_chances() -> None:
    one = torch.ones(1, 1)
    uniform = Uniform(one, torch.tensor([1]), torch.zeros(1), 5)
    with pytest.raises(InputError, match="log_q"):
        in_batch(one, one, torch.tensor([0]), None, uniform)


def test_given_negatives_are_each_pair_s_own() -> None:
    users, items = torch.eye(2), torch.eye(2)
    hard = torch.tensor([[[3.0, 0.0], [5.0, 0.0]], [[0.0, 7.0], [0.0, 9.0]]])
    scored = given(users, items, torch.tensor([1, 2]), hard, torch.tensor([[8, 1], [2, 8]]))
    assert scored.negative.tolist() == [[3.0, 5.0], [7.0, 9.0]]
    assert scored.excluded.tolist() == [[False, True], [True, False]]
    expected = torch.nn.functional.softplus(torch.tensor([3.0 - 1, 9.0 - 1]))
    for loss in (SampledSoftmax(1.0), PairwiseRanking()):
        torch.testing.assert_close(loss(scored), expected)


def test_cosine_contrast_by_hand() -> None:
    users = normalize(torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), dim=1)
    loss = CosineContrastive(margin=0.5, negative_weight=10.0)
    got = loss(in_batch(users, users, torch.arange(3)))
    # cosines 0.6, 0.0 and 0.8 between them; the mean is over two negatives
    expected = [10 * 0.1 / 2, 10 * (0.1 + 0.3) / 2, 10 * 0.3 / 2]
    torch.testing.assert_close(got, torch.tensor(expected))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SampledSoftmax(0.0),
        lambda: CosineContrastive(margin=1.5),
        lambda: CosineContrastive(negative_weight=-1.0),
    ],
)
def test_losses_that_cannot_be_are_refused(make) -> None:
    with pytest.raises(ConfigError, match="got"):
        make()
