"""A loaded index is the one that was saved; a damaged one is refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys_embed.errors import InputError, SnapshotCorruptError, SnapshotNotFoundError
from recsys_embed.index import Index, IndexConfig
from recsys_embed.index.attributes import Schema
from recsys_embed.index.filters import parse
from recsys_embed.snapshot import open_snapshot, write_snapshot
from tests.index.making import check_exact, check_sound, clustered

SCHEMA = Schema({"n": "int", "names": "tags"})
CONFIGS = {
    "exact": IndexConfig(kind="exact", background=False),
    "ivf": IndexConfig(kind="ivf", codec="int8", background=False, target_k=10),
    "hnsw": IndexConfig("cosine", "hnsw", background=False, target_k=10),
    "projected": IndexConfig(kind="ivf", projected_dim=8, background=False, target_k=10),
}


def written(config: IndexConfig, rng: np.random.Generator) -> tuple[Index, dict[int, np.ndarray]]:
    vectors = clustered(rng, 700)
    attributes = {"n": range(500), "names": [[str(i), "all"] for i in range(500)]}
    index = Index.build(
        np.arange(500), vectors[:500], config=config, schema=SCHEMA, attributes=attributes
    )
    index.upsert(np.arange(400, 600), vectors[500:], {"n": range(1400, 1600)})
    index.delete(np.arange(0, 600, 7))
    items = dict(zip(range(500), vectors[:500], strict=True))
    items.update(zip(range(400, 600), vectors[500:], strict=True))
    return index, {i: v for i, v in items.items() if i % 7}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loaded_index_answers_as_the_saved_one(
    name: str, rng: np.random.Generator, tmp_path: Path
) -> None:
    index, items = written(CONFIGS[name], rng)
    metric, queries = CONFIGS[name].metric, clustered(rng, 5)
    index.save(tmp_path)
    loaded = Index.load(tmp_path)
    assert replace(loaded.stats(), num_bytes=0) == replace(index.stats(), num_bytes=0)
    for k in (10, 700):
        ours, theirs = index.search(queries, k), loaded.search(queries, k)
        assert (ours.ids == theirs.ids).all() and ours.plan == theirs.plan
        check_sound(theirs, queries, k, items, metric)
    check_exact(loaded.exact(queries, 700), queries, 700, items, metric)
    where = parse({"field": "names", "eq": "13"}, SCHEMA)
    assert loaded.search(queries[:1], 2, where=where).ids.tolist() == [[13, 0]]
    assert loaded.attributes_of([13, 410, 7]) == index.attributes_of([13, 410, 7])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loaded_index_goes_on(name: str, rng: np.random.Generator, tmp_path: Path) -> None:
    index, items = written(CONFIGS[name], rng)
    index.fold()
    index.save(tmp_path)
    loaded = Index.load(tmp_path)
    new = clustered(rng, 50)
    loaded.upsert(np.arange(380, 430), new, {"n": [5] * 50})
    loaded.delete([1, 2, 3, 385])
    items.update(zip(range(380, 430), new, strict=True))
    for id_ in (1, 2, 3, 385):
        del items[id_]
    queries, metric = clustered(rng, 3), CONFIGS[name].metric
    for work in (loaded.fold, loaded.rebuild):
        work()
        check_exact(loaded.exact(queries, 700), queries, 700, items, metric)
        check_sound(loaded.search(queries, 10), queries, 10, items, metric)
    assert loaded.attributes_of([380, 385]) == [{"n": 5}, None]


def test_a_save_takes_the_place_of_the_one_before(rng: np.random.Generator, tmp_path: Path) -> None:
    index, _ = written(CONFIGS["exact"], rng)
    first = index.save(tmp_path)
    index.delete(np.arange(600))
    second = index.save(tmp_path)
    assert not first.exists() and len(Index.load(tmp_path)) == len(Index.load(second)) == 0


def test_no_flipped_bit_and_no_missing_end_is_loaded(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    index, _ = written(CONFIGS["ivf"], rng)
    folder = index.save(tmp_path)
    path = folder / "dense.safetensors"
    whole = path.read_bytes()
    for at in (*rng.integers(0, len(whole), 60).tolist(), 0, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(SnapshotCorruptError, match="expected|header|said"):
            Index.load(tmp_path)
    for length in (0, 7, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SnapshotCorruptError):
            Index.load(tmp_path)
    path.write_bytes(whole)
    assert len(Index.load(tmp_path)) == len(index)


def test_what_is_no_index_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SnapshotNotFoundError, match="holds no complete snapshot"):
        Index.load(tmp_path)
    write_snapshot(tmp_path, {}, dense={"a": np.zeros(3)})
    with pytest.raises(InputError, match="is a snapshot, but it holds no index"):
        Index.load(tmp_path)
    extra = {"index": {"version": 99}}
    write_snapshot(tmp_path, {}, dense={"a": np.zeros(3)}, extra=extra)
    with pytest.raises(Exception, match="reads version 1 of a saved index, found version 99"):
        Index.load(tmp_path)
    write_snapshot(tmp_path, {}, dense={"a": np.zeros(3)}, extra={"index": {"version": 1}})
    with pytest.raises(SnapshotCorruptError, match="index needs"):
        Index.load(tmp_path)


def test_the_arrays_alone_answer_every_search(rng: np.random.Generator, tmp_path: Path) -> None:
    """As docs/formats.md says: score what is alive."""
    index, _ = written(CONFIGS["ivf"], rng)
    index.fold()
    dense = open_snapshot(index.save(tmp_path)).dense
    query = clustered(rng, 1)
    slots = np.flatnonzero(dense["alive"])
    scores = dense["vectors"][slots] @ query[0]
    best = dense["ids"][slots[np.argsort(-scores, kind="stable")[:5]]]
    assert best.tolist() == index.exact(query, 5).ids[0].tolist()
