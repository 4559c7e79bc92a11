"""The codebooks of a real catalogue stay in use: Amazon Beauty, 12,101 items by their titles."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

from recsys_embed.nn.rq_vae import RQVAE
from recsys_embed.semantic_ids import ResidualKMeans, TextVectors, measure_health, shared_prefixes
from training.readers.items import read_texts


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on shared cores take twenty times as long for small sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1, "blas"):
        yield
    torch.set_num_threads(before)


def test_level_one_of_beauty_has_a_perplexity_of_150_of_256(recsys_data: Path) -> None:
    path = recsys_data / "amazon-beauty" / "items.tsv"
    if not path.exists():
        pytest.skip(f"no {path}")
    texts = read_texts(str(path), "item", ["text"]).texts or []
    contents = TextVectors.fit(texts, dim=64)(texts)
    for quantizer in (RQVAE(epochs=15), ResidualKMeans()):
        codebooks = quantizer.fit(contents)
        health = measure_health(codebooks, contents)
        assert health.perplexity[0] >= 150 and health.dead_codes[0] <= 2
        near = shared_prefixes(codebooks.encode(contents), contents)
        assert [round(s.mean_cosine, 1) for s in near[:1]] == [0.0]
        assert near[1].mean_cosine > 0.6 and near[2].mean_cosine > 0.85
