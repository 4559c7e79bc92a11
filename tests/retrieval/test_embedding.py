"""A dense parameter read through a row map, against the map's definition id by id."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from recsys_embed import MappedTable
from recsys_embed.errors import ConfigError
from recsys_embed.row_maps import (
    Bloom,
    Collisionless,
    DoubleFrequency,
    DoubleGraphHash,
    Frequency,
    GraphHash,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
    RowIds,
)
from recsys_embed.snapshot import open_snapshot, write_snapshot
from training.retrieval.embedding import MappedEmbedding

IDS = np.array([7, -3, 2**62, 0, 7, 5])


@dataclass(frozen=True)
class Growing:
    """The n-th id has n rows: the first has none."""

    kind: ClassVar[str] = "growing"
    combine: ClassVar[str] = "sum"
    num_rows: ClassVar[int] = 5

    def chunks(self, feature: str) -> int:
        return 1

    def map(self, ids: np.ndarray, feature: str = "") -> RowIds:
        counts = np.arange(len(ids))
        rows = np.concatenate([np.arange(n) for n in counts]).astype(np.int64)
        return RowIds(rows[None], counts)


MAPS: Mapping[str, Any] = {
    "collisionless": Collisionless(),
    "hashed": Hashed(rows=3),
    "bloom": Bloom(rows=5, hashes=3),
    "frequency": Frequency.of([7, 0], rows=4),
    "double_frequency": DoubleFrequency.of([7, 0], rows=4),
    "graphhash": GraphHash.of([7, 0, 5], [0, 1, 1]),
    "double_graphhash": DoubleGraphHash.of([7, 0, 5], [0, 1, 1]),
    "quotient_remainder": QuotientRemainder(rows=30, cardinality=100),
    "hash_embedding": HashEmbedding(rows=6, importance=5, dim=4),
    "multi_chunk": MultiChunk(rows=6, lookups=2),
    "multiplexed": Multiplexed(rows=5, tables=2, lookups=2, features=("user", "item")),
    "unbounded multiplexed": Multiplexed(lookups=2, features=("user", "item")),
    "variable": Growing(),
}


def by_definition(embedding: MappedEmbedding, row_map: Any, feature: str) -> np.ndarray:
    """The vectors, each id's rows put together one by one."""
    mapped = row_map.map(IDS, feature)
    counts = np.broadcast_to(mapped.per_id, len(IDS))
    starts = np.cumsum(counts) - counts
    row_of = dict(zip(embedding.keys.tolist(), embedding.rows.detach().numpy(), strict=True))
    width = embedding.rows.shape[1]
    vectors = []
    for n, (start, count) in enumerate(zip(starts, counts, strict=True)):
        for chunk in mapped.rows:
            rows = [row_of[int(r)] for r in chunk[start : start + count]]
            if row_map.combine == "product":
                vectors.append(np.prod(rows, axis=0))
            elif row_map.combine == "weighted":
                first = int(row_map.first_column(IDS)[n])
                weights = 1 + rows[-1][first : first + row_map.hashes]
                vectors.append(sum(w * r for w, r in zip(weights, rows, strict=False)))
            else:
                vectors.append(sum(rows, np.zeros(width, np.float32)))
    return np.array(vectors).reshape(len(IDS), -1)


@pytest.mark.parametrize("name", MAPS)
def test_vectors_are_rows_put_together(name: str) -> None:
    row_map = MAPS[name]
    embedding = MappedEmbedding(row_map, IDS, 4, "item")
    with torch.no_grad():
        embedding.rows.normal_()
    expected = by_definition(embedding, row_map, "item")
    np.testing.assert_allclose(embedding().detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    at = torch.tensor([4, 1, 1])
    np.testing.assert_allclose(embedding(at).detach().numpy(), expected[at], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, m in MAPS.items() if m.combine == "sum"])
def test_a_row_s_gradient_counts_the_ids_that_read_it(name: str) -> None:
    row_map = MAPS[name]
    embedding = MappedEmbedding(row_map, IDS, 4, "item")
    embedding().sum().backward()
    read = dict(zip(*np.unique(row_map.map(IDS, "item").rows, return_counts=True), strict=True))
    assert embedding.rows.grad is not None
    assert embedding.rows.grad[:, 0].tolist() == [read.get(key, 0) for key in embedding.keys]


def test_two_features_can_read_one_pool() -> None:
    pool = MAPS["multiplexed"]
    users = MappedEmbedding(pool, IDS, 4, "user")
    items = MappedEmbedding(pool, IDS, 4, "item", shared=users)
    assert items.rows is users.rows and not torch.equal(items(), users())
    with pytest.raises(ConfigError, match="fixed number"):
        MappedEmbedding(Hashed(rows=10), IDS, 2, shared=users)
    with pytest.raises(ConfigError, match="cannot be shared"):
        MappedEmbedding(pool, IDS, 8, "item", shared=users)


@pytest.mark.parametrize("name", [name for name in MAPS if name != "variable"])
def test_a_table_with_the_rows_gives_the_same_bits(name: str) -> None:
    embedding = MappedEmbedding(MAPS[name], IDS, 4, "item")
    with torch.no_grad():
        embedding.rows.normal_()
    table = embedding.to_table("items")
    feature = {"feature": "item"} if isinstance(table, MappedTable) else {}
    found = table.lookup(IDS, missing="error", **feature)
    assert found.tobytes() == embedding().detach().numpy().tobytes()


@pytest.mark.parametrize("name", [name for name in MAPS if name != "variable"])
def test_a_snapshot_serves_the_trained_bits(name: str, tmp_path: Path) -> None:
    embedding = MappedEmbedding(MAPS[name], IDS, 4, "item")
    with torch.no_grad():
        embedding.rows.normal_()
    path = write_snapshot(tmp_path, {"items": embedding.to_table("items")})
    served = open_snapshot(path).tables["items"].lookup(IDS, feature="item")
    assert served.values.tobytes() == embedding().detach().numpy().tobytes()


def test_rows_are_those_of_the_map_and_no_more() -> None:
    assert MappedEmbedding(Hashed(rows=50), IDS, 4).rows.shape == (50, 4)
    assert MappedEmbedding(Collisionless(), IDS, 4).rows.shape == (5, 4)
    assert MappedEmbedding(MultiChunk(rows=6, lookups=2), IDS, 4).rows.shape == (6, 2)
    assert MappedEmbedding(Hashed(rows=3), IDS[:0], 4)().shape == (0, 4)


def test_hash_embeddings_begin_as_plain_sums() -> None:
    row_map = HashEmbedding(rows=6, importance=5, dim=4)
    embedding = MappedEmbedding(row_map, IDS, 4)
    rows = row_map.map(IDS).rows.reshape(len(IDS), 3)[:, :2]
    expected = embedding.rows[torch.from_numpy(rows)].sum(1)
    assert torch.equal(embedding(), expected)


def test_chunks_must_divide_the_vector() -> None:
    with pytest.raises(ConfigError, match="multiple of the 2 chunks, got 5"):
        MappedEmbedding(MultiChunk(rows=6, lookups=2), IDS, 5)
