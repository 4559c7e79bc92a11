"""Every row map in every torch module: the module does what its tables would do by themselves."""

from typing import Any

import numpy as np
import pytest
import torch
from torchrec import EmbeddingBagConfig, EmbeddingConfig, KeyedJaggedTensor, PoolingType

from recsys_embed import SGD, TableConfig, make_table
from recsys_embed.mapped_table import MappedTable
from recsys_embed.nn import Embedding, EmbeddingBag, EmbeddingBagCollection, EmbeddingCollection
from tests.row_maps.making import DIM, FEATURES, KNOWN, ROW_MAPS
from tests.table.making import columns, dump

EVERY_MAP = pytest.mark.parametrize("name", ROW_MAPS)
IDS = np.array([*KNOWN[:7], 5, 3, 5], np.int64)  # of user, item, shop and bags as below
LENGTHS = np.array([2, 0, 1, 1, 1, 2, 1, 2, 0])  # three bags a feature
KEYS = [*FEATURES, "shop"]
LR = 0.5


def dim_of(name: str) -> int:
    """What TorchRec calls embedding_dim: of a feature without lookups of its own."""
    return DIM * ROW_MAPS[name].chunks("")


def widths_of(name: str) -> list[int]:
    return [DIM * ROW_MAPS[name].chunks(f) for f in FEATURES] + [dim_of(name)]


def batch_of(weights: Any = None) -> KeyedJaggedTensor:
    return KeyedJaggedTensor(
        keys=KEYS,
        values=torch.from_numpy(IDS),
        lengths=torch.from_numpy(LENGTHS),
        weights=weights,
    )


def bag_collection(name: str, mode: Any = PoolingType.SUM, **options: Any) -> Any:
    """A mapped table for two features, and a collisionless one beside it."""
    sizes: dict[str, Any] = {"num_embeddings": 9, "embedding_dim": dim_of(name), "pooling": mode}
    tables = [
        EmbeddingBagConfig(name="goods", feature_names=list(FEATURES), **sizes),
        EmbeddingBagConfig(name="shops", feature_names=["shop"], **sizes),
    ]
    own = {"goods": {"row_map": ROW_MAPS[name]}}
    return EmbeddingBagCollection(tables, optimizer=SGD(), lr=LR, table_options=own, **options)


def dumps(module: Any) -> Any:
    return {name: (dump(table), table.seq) for name, table in module.tables.items()}


def offsets_of(first: int, last: int) -> Any:
    return np.concatenate([[0], np.cumsum(LENGTHS[first * 3 : last * 3])])


@EVERY_MAP
@pytest.mark.parametrize("mode", [PoolingType.SUM, PoolingType.MEAN])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_a_bag_collection_trains_as_its_tables_do(
    name: str, mode: PoolingType, is_weighted: bool, rng: np.random.Generator
) -> None:
    collection = bag_collection(name, mode, is_weighted=is_weighted)
    weights = rng.normal(size=len(IDS)).astype(np.float32) if is_weighted else None
    goods, shops = (make_table(table.config) for table in collection.tables.values())
    pooled = collection(batch_of(None if weights is None else torch.from_numpy(weights)))
    assert pooled.keys() == KEYS and pooled.length_per_key() == widths_of(name)

    grads = rng.normal(size=(3, sum(widths_of(name)))).astype(np.float32)
    pooled.values().backward(torch.from_numpy(grads))
    at = sum(widths_of(name)[:2])
    turns = [(goods, FEATURES, 0, 7, 0, 2), (shops, ["shop"], 7, 10, 2, 3)]
    for (table, features, a, b, first, last), own in zip(
        turns, (grads[:, :at], grads[:, at:]), strict=True
    ):
        options: Any = {
            "mode": "sum" if mode == PoolingType.SUM else "mean",
            "weights": None if weights is None else weights[a:b],
        }
        offsets = offsets_of(first, last)
        found = table.train_lookup_pooled(IDS[a:b], offsets, features=features, **options)
        read = pooled.values().detach().numpy()
        read = read[:, :at] if table is goods else read[:, at:]
        np.testing.assert_array_equal(read, found.values)
        table.apply_pooled_gradients(
            found.rows, offsets, np.ascontiguousarray(own), lr=LR,
            num_features=len(features), **options,
        )  # fmt: skip
    assert dumps(collection) == {
        "goods": (dump(goods), goods.seq),
        "shops": (dump(shops), shops.seq),
    }


@EVERY_MAP
def test_evaluation_reads_what_training_reads_and_changes_nothing(name: str) -> None:
    collection = bag_collection(name)
    first = collection(batch_of()).values().detach()
    before = dumps(collection)
    for read in (collection.eval()(batch_of()),):
        assert torch.equal(read.values(), first)
    with torch.no_grad():
        assert torch.equal(collection.train()(batch_of()).values(), first)
    assert dumps(collection) == before


@EVERY_MAP
@pytest.mark.parametrize("mode", [PoolingType.SUM, PoolingType.MEAN])
def test_weights_have_a_gradient_of_their_own(
    name: str, mode: PoolingType, rng: np.random.Generator
) -> None:
    """Doubling a weight doubles its id's part, so the gradient is the part over the weight."""
    values = rng.uniform(0.5, 2, len(IDS)).astype(np.float32)
    wanted, fused = (bag_collection(name, mode, is_weighted=True) for _ in range(2))
    weights = torch.from_numpy(values).requires_grad_()
    ours, theirs = wanted(batch_of(weights)), fused(batch_of(torch.from_numpy(values)))
    assert ours.length_per_key() == widths_of(name)
    torch.testing.assert_close(ours.values(), theirs.values(), rtol=1e-5, atol=1e-6)
    grads = torch.from_numpy(rng.normal(size=ours.values().shape).astype(np.float32))
    parts = []
    with torch.no_grad():
        for k in range(len(IDS)):
            alone = torch.zeros(len(IDS))
            alone[k] = 1
            parts.append(float((fused(batch_of(alone)).values() * grads).sum()))
    ours.values().backward(grads)
    theirs.values().backward(grads)
    assert weights.grad is not None
    np.testing.assert_allclose(weights.grad.numpy(), parts, rtol=1e-4, atol=1e-6)
    for table in ("goods", "shops"):
        own, other = columns(wanted.tables[table]), columns(fused.tables[table])
        np.testing.assert_array_equal(own["ids"], other["ids"])
        np.testing.assert_allclose(own["weights"], other["weights"], rtol=1e-5, atol=1e-6)


@EVERY_MAP
def test_a_collection_gives_each_id_its_vector(name: str, rng: np.random.Generator) -> None:
    features = ["user", "shop"] if len(set(widths_of(name))) > 1 else list(FEATURES)
    sizes: dict[str, Any] = {"num_embeddings": 9, "embedding_dim": dim_of(name)}
    collection = EmbeddingCollection(
        [EmbeddingConfig(name="goods", feature_names=features, **sizes)],
        optimizer=SGD(),
        lr=LR,
        table_options={"goods": {"row_map": named_for(name, features)}},
    )
    found = collection(batch_of())
    table = make_table(collection.tables["goods"].config)
    spans = {"user": IDS[:3], "item": IDS[3:7], "shop": IDS[7:]}
    ids = np.concatenate([spans[f] for f in features])
    ends = np.cumsum([0, *(len(spans[f]) for f in features)])
    expected = table.train_lookup(ids, feature=features, feature_offsets=ends)
    read = torch.cat([found[f].values() for f in features])
    np.testing.assert_array_equal(read.detach().numpy(), expected.values)
    grads = rng.normal(size=expected.values.shape).astype(np.float32)
    read.backward(torch.from_numpy(grads))
    table.apply_gradients(expected.rows, grads, lr=LR)
    assert dumps(collection) == {"goods": (dump(table), table.seq)}
    with torch.no_grad():
        again = collection(batch_of())
    for f in features:
        own = {"feature": f} if isinstance(table, MappedTable) else {}
        np.testing.assert_array_equal(again[f].values(), table.lookup(spans[f], **own))


def named_for(name: str, features: list[str]) -> Any:
    """The map, for these features where it knows features by name."""
    row_map = ROW_MAPS[name]
    if not hasattr(row_map, "of_features") or tuple(features) == row_map.features:
        return row_map
    return type(row_map)(row_map.rows, row_map.tables, row_map.lookups)


@EVERY_MAP
def test_modules_of_one_table_do_as_torch_s(name: str, rng: np.random.Generator) -> None:
    config = TableConfig.of("t", DIM, optimizer=SGD(), row_map=named_for(name, ["default"]))
    width, ids = config.vector_dim("default"), torch.from_numpy(IDS).view(5, 2)
    embedding, bag = Embedding(config, lr=LR), EmbeddingBag(config, mode="sum", lr=LR)
    vectors, pooled = embedding(ids), bag(ids)
    assert vectors.shape == (5, 2, width) and pooled.shape == (5, width)
    torch.testing.assert_close(vectors.sum(dim=1), pooled, rtol=1e-5, atol=1e-6)
    grads = torch.from_numpy(rng.normal(size=pooled.shape).astype(np.float32))
    vectors.sum(dim=1).backward(grads)
    pooled.backward(grads)
    ours, theirs = columns(embedding.table), columns(bag.table)
    assert len(embedding.table) == len(np.unique(config.row_map.map(IDS, "default").rows))
    np.testing.assert_allclose(ours["weights"], theirs["weights"], rtol=1e-4, atol=1e-5)
    assert not torch.equal(embedding.eval()(ids), vectors)
    before = dump(bag.table), bag.table.seq
    bag.eval()(ids)
    assert (dump(bag.table), bag.table.seq) == before


@EVERY_MAP
def test_weighted_bags_of_one_table_have_gradients(name: str, rng: np.random.Generator) -> None:
    config = TableConfig.of("t", DIM, optimizer=SGD(), row_map=named_for(name, ["default"]))
    bag, ids = EmbeddingBag(config, mode="mean", lr=LR), torch.from_numpy(IDS).view(5, 2)
    weights = torch.from_numpy(rng.uniform(0.5, 2, (5, 2)).astype(np.float32)).requires_grad_()
    vectors = bag.table.lookup(IDS)
    pooled = bag(ids, per_sample_weights=weights)
    pooled.backward(torch.ones_like(pooled))
    assert weights.grad is not None
    np.testing.assert_allclose(
        weights.grad.numpy().reshape(-1), vectors.sum(axis=1) / 2, rtol=1e-5, atol=1e-6
    )


def test_no_bag_has_weights_with_a_gradient_too() -> None:
    collection = bag_collection("multiplexed_lookups_of", is_weighted=True)
    weights = torch.zeros(0, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    batch = KeyedJaggedTensor(keys=KEYS, values=none, lengths=none, weights=weights)
    pooled = collection(batch).values()
    assert pooled.shape == (0, sum(widths_of("multiplexed_lookups_of")))
    pooled.sum().backward()
