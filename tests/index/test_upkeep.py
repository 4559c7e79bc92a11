"""Folding and rebuilding change how an index searches, never what it answers."""

import gc
import threading
import weakref

import numpy as np
import pytest

from recsys_embed.index import Index, IndexConfig, building
from recsys_embed.index.attributes import Schema
from recsys_embed.index.filters import parse
from recsys_embed.index.upkeep import Keeper
from tests.index.making import check_exact, check_sound, clustered

SCHEMA = Schema({"n": "int"})


def ivf(**more: object) -> IndexConfig:
    return IndexConfig(kind="ivf", background=False, target_k=10, **more)  # type: ignore[arg-type]


def churned(rng: np.random.Generator) -> tuple[Index, dict[int, np.ndarray]]:
    vectors = clustered(rng, 800)
    index = Index.build(
        np.arange(800), vectors, config=ivf(), schema=SCHEMA, attributes={"n": range(800)}
    )
    items = dict(enumerate(vectors))
    new = clustered(rng, 300)
    index.upsert(np.arange(700, 1000), new, {"n": range(700, 1000)})
    items.update(zip(range(700, 1000), new, strict=True))
    index.delete(np.arange(0, 1000, 5))
    return index, {i: v for i, v in items.items() if i % 5}


@pytest.mark.parametrize("work", ["fold", "rebuild"])
def test_answers_stay_as_they_were(work: str, rng: np.random.Generator) -> None:
    index, items = churned(rng)
    queries = clustered(rng, 5)
    for _ in range(2):
        getattr(index, work)()
        check_exact(index.exact(queries, 900), queries, 900, items, "inner_product")
        for k in (10, 900):
            check_sound(index.search(queries, k), queries, k, items, "inner_product")
        where = parse({"field": "n", "gte": 500}, SCHEMA)
        later = {i: v for i, v in items.items() if i >= 500}
        check_exact(index.exact(queries, 9, where=where), queries, 9, later, "inner_product")
        check_sound(index.search(queries, 9, where=where), queries, 9, later, "inner_product")
        assert index.attributes_of([999, 701, 700]) == [{"n": 999}, {"n": 701}, None]
    stats = index.stats()
    assert stats.fresh == 0 and stats.items == len(items)
    assert (stats.folds, stats.rebuilds) == ((2, 0) if work == "fold" else (0, 2))
    assert stats.dead == (300 if work == "fold" else 0)


@pytest.mark.parametrize("work", ["fold", "rebuild"])
def test_writes_made_meanwhile_are_kept(
    work: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writes come between the start of the work and the moment its result is taken in."""
    index, items = churned(rng)
    new, queries = clustered(rng, 4), clustered(rng, 5)
    name = f"recsys_embed.index.index.{'folded' if work == 'fold' else 'rebuilt'}"
    module, function = name.rsplit(".", 1)
    made = getattr(__import__(module, fromlist=["_"]), function)

    def interrupted(*arguments: object) -> object:
        result = made(*arguments)
        index.upsert(np.array([1, 701, 5000, 5001]), new, {"n": [1, 2, 3, 4]})
        index.delete([2, 702, 5001, 999])
        return result

    monkeypatch.setattr(name, interrupted)
    getattr(index, work)()
    monkeypatch.setattr(name, made)
    items.update({1: new[0], 701: new[1], 5000: new[2]})
    for id_ in (2, 702, 999):
        del items[id_]
    for _ in range(2):
        check_exact(index.exact(queries, 900), queries, 900, items, "inner_product")
        check_sound(index.search(queries, 900), queries, 900, items, "inner_product")
        check_sound(index.search(queries, 10), queries, 10, items, "inner_product")
        assert index.attributes_of([701, 5000, 5001, 702]) == [{"n": 2}, {"n": 3}, None, None]
        assert (index.vectors_of([1, 701, 5000])[0] == new[:3]).all()
        index.fold()


def test_a_view_outlives_a_rebuild(rng: np.random.Generator) -> None:
    index, items = churned(rng)
    view, queries = index.view(), clustered(rng, 5)
    index.delete(np.arange(0, 1000, 2))
    index.rebuild()
    index.upsert(np.arange(500), clustered(rng, 500))
    check_exact(view.exact(queries, 900), queries, 900, items, "inner_product")
    check_sound(view.search(queries, 10), queries, 10, items, "inner_product")


def test_what_is_due_is_done_once(rng: np.random.Generator) -> None:
    vectors = clustered(rng, 4300)
    index = Index.build(np.arange(2000), vectors[:2000], config=ivf(fresh_limit=100))
    assert not index.maintain()
    index.upsert(np.arange(3000, 3099), vectors[2000:2099])
    assert not index.maintain()
    index.upsert([5000], vectors[2099:2100])
    assert index.maintain() and not index.maintain()
    assert (index.stats().folds, index.stats().fresh) == (1, 0)
    index.upsert(np.arange(6000, 8200), vectors[2100:])
    assert index.maintain() and not index.maintain()
    assert (index.stats().rebuilds, index.stats().fresh) == (1, 0)


def test_auto_leaves_exact_search_when_there_is_too_much_to_score(
    rng: np.random.Generator,
) -> None:
    config = IndexConfig(exact_below=2000, background=False, target_k=10)
    index = Index.build(np.arange(1500), clustered(rng, 1500), config=config)
    assert index.stats().kind == "exact" and not index.maintain()
    index.upsert(np.arange(5000, 5600), clustered(rng, 600))
    assert index.maintain() and index.stats().kind != "exact" and not index.maintain()
    index.delete(np.arange(1200))
    assert index.maintain() and index.stats().kind == "exact" and not index.maintain()
    assert len(index) == 900


def test_a_folding_widens_searches_that_would_miss_more(rng: np.random.Generator) -> None:
    """Tuned on queries at the centres, it then is asked between them, which takes more lists."""
    vectors = clustered(rng, 4000, clusters=60)
    config = ivf(fresh_limit=10, target_recall=0.97)
    index = Index.build(np.arange(4000), vectors, config=config, queries=vectors[:200])
    before = index.stats().parameters.nprobe
    harder = vectors[:2000:2] - vectors[1:2000:2]
    for i in range(1000):
        for _ in range(3):
            index.search(harder[i : i + 1], 10)
    index.upsert(np.arange(9000, 9010), clustered(rng, 10))
    assert index.maintain()
    after = index.stats()
    assert before is not None and after.parameters.nprobe is not None
    assert after.parameters.nprobe > before
    found, true = index.search(harder, 10), index.exact(harder, 10)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.ids, true.ids, strict=True)]
    assert np.mean(shares) > 0.95


def test_new_items_are_found_where_there_were_none(rng: np.random.Generator) -> None:
    """Items around new centres come into few lists, whose centroids are far; no query tells."""
    config = ivf(fresh_limit=10, target_recall=0.97)
    index = Index.build(np.arange(4000), clustered(rng, 4000), config=config)
    new = clustered(rng, 1500)
    index.upsert(np.arange(9000, 10500), new)
    assert index.maintain()
    found, true = index.search(new[:200], 10), index.exact(new[:200], 10)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.ids, true.ids, strict=True)]
    assert np.mean(shares) > 0.92


def test_retuning_asks_for_what_it_is_given(rng: np.random.Generator) -> None:
    vectors = clustered(rng, 3000)
    index = Index.build(np.arange(3000), vectors, config=ivf(target_recall=0.95))
    assert index.stats().tuned_on == "items"
    index.retune(vectors[:100] - vectors[100:200])
    assert index.stats().tuned_on == "queries" and index.stats().tuned_recall >= 0.95


def test_readers_find_every_write_at_once_and_nothing_deleted(rng: np.random.Generator) -> None:
    """10,000 random writes beside two readers, over many foldings and some rebuilds."""
    dim = 8
    config = IndexConfig("cosine", "ivf", target_k=10, fresh_limit=64)
    index = Index.build(
        np.arange(2000), rng.standard_normal((2000, dim), np.float32), config=config
    )
    gone: list[int] = []
    wrong: list[str] = []
    done = threading.Event()

    def read(seed: int) -> None:
        draws = np.random.default_rng(seed)
        while not done.is_set():
            before = set(gone[:])
            found = index.search(draws.standard_normal((2, dim), np.float32), 20)
            if before & set(found.ids.ravel().tolist()):
                wrong.append("found what was deleted")
            if found.counts.tolist() != [20, 20] or (np.diff(found.scores) > 0).any():
                wrong.append("too few, or not best first")

    readers = [threading.Thread(target=read, args=(seed,)) for seed in (1, 2)]
    for reader in readers:
        reader.start()
    live = list(range(2000))
    try:
        for step in range(10_000):
            if step % 2:
                id_ = live.pop(int(rng.integers(len(live))))
                assert index.delete([id_]) == 1
                gone.append(id_)
                assert not index.vectors_of([id_])[1].any()
            else:
                id_, vector = 10_000 + step, rng.standard_normal((1, dim), np.float32)
                index.upsert([id_], vector)
                live.append(id_)
                assert index.search(vector, 1).ids[0, 0] == id_
    finally:
        done.set()
        for reader in readers:
            reader.join()
        index.close()
    assert not wrong, wrong[:3]
    stats = index.stats()
    assert stats.items == 2000 and stats.folds > 2 and stats.rebuilds > 0


def test_an_index_that_nobody_holds_is_gone_with_its_thread(rng: np.random.Generator) -> None:
    config = IndexConfig(kind="ivf", target_k=10, fresh_limit=1)
    index = Index.build(np.arange(100), clustered(rng, 100), config=config)
    index.upsert([200], clustered(rng, 1))
    (thread,) = [t for t in threading.enumerate() if t is index._keepers[0]._thread]
    held = weakref.ref(index)
    del index
    for _ in range(100):
        gc.collect()
        thread.join(0.05)
        if not thread.is_alive():
            break
    assert held() is None and not thread.is_alive()


@pytest.mark.parametrize("graph", [True, False])
def test_data_without_clusters_is_put_into_what_is_faster_for_it(
    graph: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    monkeypatch.setattr(building, "_time", lambda engine, *_: held.append(engine.kind) or len(held))
    if graph:
        monkeypatch.setattr(
            building, "_time", lambda engine, *_: held.append(engine.kind) or -len(held)
        )
    config = IndexConfig(exact_below=100, target_k=10, background=False)
    noise = rng.standard_normal((1500, 24), np.float32)
    index = Index.build(np.arange(1500), noise, config=config)
    assert held == ["ivf", "hnsw"]
    assert index.stats().kind == ("hnsw" if graph else "ivf")
    check_sound(index.search(noise[:3], 10), noise[:3], 10, dict(enumerate(noise)), "inner_product")


def test_each_thread_searches_with_the_threads_of_the_config(rng: np.random.Generator) -> None:
    """OpenMP keeps its number of threads by thread: what the main thread set holds there alone."""
    faiss = pytest.importorskip("faiss")
    index = Index.build(np.arange(300), clustered(rng, 300), config=ivf())
    seen = []

    def search() -> None:
        faiss.omp_set_num_threads(3)
        index.search(np.ones((1, 16), np.float32), 1)
        seen.append(faiss.omp_get_max_threads())

    thread = threading.Thread(target=search)
    thread.start()
    thread.join()
    assert seen == [1]


class Told(threading.Event):
    """Never set, and waited for no longer than it takes to say how long."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return False


def test_work_that_keeps_failing_is_tried_ever_more_rarely() -> None:
    class Owner:
        fails = True

        def work(self) -> bool:
            if self.fails:
                raise MemoryError("too large")
            return False

    owner = Owner()
    keeper = Keeper(owner, Owner.work)
    keeper._closed = told = Told()
    assert all(keeper._step() for _ in range(9))
    assert told.waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    owner.fails = False
    assert not keeper._step()
    owner.fails = True
    assert keeper._step() and keeper._step()
    assert told.waits[9:] == [1, 2], "once it works, all is forgotten"


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_that_stays_below_its_target_says_so(
    kind: str, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers that fp16 has not become infinite in the engine's copy, where all score alike."""
    vectors = clustered(rng, 600)
    for scale, warnings in ((1.0, 0), (1e6, 1)):
        config = IndexConfig(kind=kind, codec="fp16", background=False, target_k=10)  # type: ignore[arg-type]
        caplog.clear()
        index = Index.build(np.arange(600), vectors * np.float32(scale), config=config)
        assert (index.stats().tuned_recall < config.target_recall) == bool(warnings)
        for work in (lambda: None, index.rebuild, lambda: index.retune(vectors[:20])):  # noqa: B023
            work()
            said = [one for one in caplog.records if "less than its target" in one.getMessage()]
            assert len(said) == warnings
            assert all(one.levelname == "WARNING" for one in said)
            caplog.clear()
