"""RQ-VAE: its loss by hand, its codes in numpy, planted clusters found, no collapse."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from recsys_embed import ConfigError, InputError
from recsys_embed.nn.rq_vae import RQVAE, Epoch
from recsys_embed.nn.rq_vae_network import RQVAENetwork
from recsys_embed.semantic_ids import measure_health
from tests.semantic_ids.making import planted, same_partition


def network(levels: int = 3, seed: int = 0) -> RQVAENetwork:
    torch.manual_seed(seed)
    return RQVAENetwork(width=6, hidden=(8,), dim=4, levels=levels, codes=7, beta=0.25)


def test_numpy_gives_the_codes_that_torch_gives() -> None:
    for seed in range(3):
        trained = network(seed=seed)
        contents = torch.randn(300, 6)
        codebooks = trained.codebooks()
        codes = codebooks.encode(contents.numpy())
        # In float64 as well: an encoder's rounding may not decide between codes.
        with torch.no_grad():
            for x, net in ((contents, trained), (contents.double(), deepcopy(trained).double())):
                quantized = net(x)
                np.testing.assert_array_equal(quantized.codes.numpy(), codes)
                np.testing.assert_allclose(
                    quantized.reconstruction.numpy(), codebooks.reconstruct(codes), atol=1e-5
                )


def test_the_loss_is_its_equation() -> None:
    net = network(levels=2)
    contents = torch.randn(5, 6)
    expected = 0.0
    with torch.no_grad():
        for x in contents:
            rest, total = net.encoder(x), torch.zeros(4)
            for vectors in net.vectors:
                code = vectors[(vectors - rest).square().sum(1).argmin()]
                expected += 1.25 * float((rest - code).square().sum()) / 5
                rest, total = rest - code, total + code
            expected += float((x - net.decoder(total)).square().sum()) / 5
        assert float(net(contents).loss) == pytest.approx(expected, rel=1e-5)


def test_gradients_go_where_the_equation_sends_them() -> None:
    net = network(levels=2)
    contents = torch.randn(9, 6)
    quantized = net(contents)
    quantized.loss.backward()
    # Codes: 2 (e - r) of their own level's items; nothing from reconstruction or other levels.
    for level in range(2):
        expected = torch.zeros(7, 4)
        for item, code in enumerate(quantized.codes[:, level].tolist()):
            gap = net.vectors[level, code] - quantized.residuals[level, item]
            expected[code] += 2 * gap.detach() / 9
        torch.testing.assert_close(net.vectors.grad[level], expected)  # type: ignore[index]
    # Straight through: the encoder is moved by reconstruction even where nothing else pulls.
    net.zero_grad()
    net.beta = 0.0
    net(contents).loss.backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in net.encoder.parameters())


SMALL = RQVAE(levels=2, codes=12, dim=6, hidden=(24,), epochs=60, batch_size=64, lr=3e-3)


@pytest.mark.parametrize("seed", range(2))
def test_it_finds_planted_clusters(seed: int) -> None:
    contents, groups = planted(np.random.default_rng(seed), clusters=12, each=30, dim=8)
    codebooks = SMALL.fit(contents)
    assert same_partition(codebooks.encode(contents)[:, 0], groups)
    assert codebooks.relative_error(contents) < 0.05


def test_codes_stay_alive_even_from_a_bad_start(rng: np.random.Generator) -> None:
    contents, _ = planted(rng, clusters=12, each=30, dim=8)
    figures = {}
    for reset_every in (0, 5):
        config = RQVAE(
            2, 32, 6, (24,), epochs=30, batch_size=64, starts_from_kmeans=False, warmup=0,
            reset_every=reset_every,
        )  # fmt: skip
        figures[reset_every] = measure_health(config.fit(contents), contents)
    assert figures[5].perplexity[0] > 1.3 * figures[0].perplexity[0]
    assert sum(figures[5].dead_codes) < sum(figures[0].dead_codes)
    assert figures[5].relative_error < figures[0].relative_error


def test_the_same_seed_gives_the_same_codebooks_and_leaves_torch_alone(
    rng: np.random.Generator,
) -> None:
    contents = rng.standard_normal((100, 5))
    config = RQVAE(levels=2, codes=8, dim=3, hidden=(), epochs=2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = config.fit(contents)
    torch.testing.assert_close(torch.rand(3), expected)
    assert one.digest == config.fit(contents).digest
    other = RQVAE(levels=2, codes=8, dim=3, hidden=(), epochs=2, seed=1)
    assert one.digest != other.fit(contents).digest


def test_every_epoch_is_reported(rng: np.random.Generator) -> None:
    contents = rng.standard_normal((200, 6))
    heard: list[Epoch] = []
    RQVAE(levels=2, codes=10, dim=4, hidden=(16,), epochs=15, lr=5e-3).fit(contents, heard.append)
    assert [e.epoch for e in heard] == list(range(1, 16))
    assert heard[-1].loss < heard[0].loss
    assert heard[-1].relative_error < heard[0].relative_error
    for epoch in heard:
        assert all(
            1 <= p <= 10 - dead for p, dead in zip(epoch.perplexity, epoch.dead_codes, strict=True)
        )
        assert 0 < epoch.unique_ids <= 1


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (np.ones((9, 3)), "9 items are fewer than the 10 codes"),
        (np.ones((50, 3)), "50 items have only 1 distinct content vectors"),
        (np.full((50, 3), np.nan), "50 of 50 content vectors are not finite"),
    ],
)
def test_contents_without_clusters_are_refused(contents: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        RQVAE(codes=10, hidden=(4,), dim=2).fit(contents)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levels": 0}, "levels must be in"),
        ({"codes": 0}, "codes must be in"),
        ({"dim": 0}, "RQVAE.dim must be 1 or more, got 0"),
        ({"beta": -1.0}, "RQVAE.beta must be 0 or more, got -1.0"),
        ({"lr": 0.0}, "RQVAE.lr and RQVAE.hidden must be above 0, got 0.0"),
        ({"hidden": (8, 0)}, r"got 0.001 and \(8, 0\)"),
    ],
)
def test_numbers_that_make_no_network_are_refused(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RQVAE(**change)
