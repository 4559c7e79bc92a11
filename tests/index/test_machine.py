"""An index in any state agrees with a dictionary that is searched item by item."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from recsys_embed.index import Index, IndexConfig
from recsys_embed.index.attributes import Schema
from recsys_embed.index.filters import parse
from tests.index.making import check_exact, check_sound

DIM = 3
SCHEMA = Schema({"n": "int"})
IDS = st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1, *range(2, 40)])
# few values, so that scores tie and vectors are equal or zero
VECTORS = st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 2.0])] * DIM)
ITEMS = st.lists(st.tuples(IDS, VECTORS, st.integers(0, 5) | st.none()), max_size=12)
CONFIGS = st.builds(
    IndexConfig,
    metric=st.sampled_from(["inner_product", "cosine"]),
    kind=st.sampled_from(["auto", "exact", "ivf", "hnsw"]),
    codec=st.sampled_from(["fp32", "fp16", "int8"]),
    exact_below=st.sampled_from([0, 10]),
    target_k=st.just(5),
    background=st.just(False),
    projected_dim=st.sampled_from([None, 2]),
    fresh_limit=st.sampled_from([1, 5, 100]),
)


class Machine(RuleBasedStateMachine):
    """Writes, upkeep and saves in any order; every answer is held to the dictionary."""

    @initialize(config=CONFIGS, items=ITEMS, queries=st.booleans())
    def build(self, config: IndexConfig, items: list[Any], queries: bool) -> None:
        self.config = config
        self.items: dict[int, tuple[np.ndarray, int | None]] = {}
        ids, vectors, numbers = self.arrays(items)
        asked = np.ones((2, DIM), np.float32) if queries else None
        self.index = Index.build(
            ids, vectors, config=config, schema=SCHEMA, attributes={"n": numbers}, queries=asked
        )
        self.write(items)
        self.views: list[tuple[Any, dict[int, Any]]] = []

    @rule(items=ITEMS)
    def upsert(self, items: list[Any]) -> None:
        ids, vectors, numbers = self.arrays(items)
        before = self.index.stats().write_number
        assert self.index.upsert(ids, vectors, {"n": numbers}) == before + (len(items) > 0)
        self.write(items)

    @rule(ids=st.lists(IDS, max_size=8))
    def delete(self, ids: list[int]) -> None:
        there = set(ids) & set(self.items)
        assert self.index.delete(np.array(ids, np.int64)) == len(there)
        for id_ in there:
            del self.items[id_]

    @rule(query=VECTORS, k=st.sampled_from([1, 3, 100]), exact=st.booleans())
    def search(self, query: Any, k: int, exact: bool) -> None:
        self.check(self.index, self.items, query, k, exact)

    @rule(query=VECTORS, k=st.sampled_from([1, 3, 100]), low=st.integers(0, 6), neg=st.booleans())
    def search_with_a_filter(self, query: Any, k: int, low: int, neg: bool) -> None:
        asked = {"field": "n", "gte": low}
        where = parse({"not": asked} if neg else asked, SCHEMA)
        wanted = {
            id_: vector
            for id_, (vector, number) in self.items.items()
            if (number is not None and number >= low) != neg
        }
        queries = np.array([query], np.float32)
        found = self.index.exact(queries, k, where=where)
        check_exact(found, queries, k, wanted, self.config.metric)
        found = self.index.search(queries, k, where=where)
        check_sound(found, queries, k, wanted, self.config.metric)
        assert found.filtered == len(self.items) - len(wanted)

    @rule(query=VECTORS, k=st.sampled_from([1, 3, 100]), ids=st.lists(IDS, max_size=20))
    def search_without_some(self, query: Any, k: int, ids: list[int]) -> None:
        wanted = {i: v for i, (v, _) in self.items.items() if i not in set(ids)}
        queries, exclude = np.array([query], np.float32), [np.array(ids, np.int64)]
        found = self.index.exact(queries, k, exclude=exclude)
        check_exact(found, queries, k, wanted, self.config.metric)
        found = self.index.search(queries, k, exclude=exclude)
        check_sound(found, queries, k, wanted, self.config.metric)

    @rule()
    def fold(self) -> None:
        self.index.fold()

    @rule()
    def rebuild(self) -> None:
        self.index.rebuild()

    @rule()
    def maintain(self) -> None:
        self.index.maintain()

    @rule()
    def save_and_go_on_with_the_copy(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index = Index.load(folder)

    @rule()
    def keep_a_view(self) -> None:
        self.views = [*self.views[-2:], (self.index.view(), dict(self.items))]

    @rule(query=VECTORS, k=st.sampled_from([1, 100]), exact=st.booleans())
    def search_a_view(self, query: Any, k: int, exact: bool) -> None:
        for view, items in self.views:
            self.check(view, items, query, k, exact)

    @invariant()
    def knows_what_is_there(self) -> None:
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.items) == self.index.stats().items
        ids = np.array([-(2**63), -1, 0, 2**63 - 1, *range(1, 40)])
        there = [id_ in self.items for id_ in ids.tolist()]
        assert self.index.vectors_of(ids)[1].tolist() == there
        numbers = [self.items[i][1] if i in self.items else "gone" for i in ids.tolist()]
        rows = self.index.attributes_of(ids)
        assert ["gone" if row is None else row.get("n") for row in rows] == numbers

    def check(self, index: Any, items: dict[int, Any], query: Any, k: int, exact: bool) -> None:
        vectors = {id_: vector for id_, (vector, _) in items.items()}
        queries = np.array([query, query[::-1]], np.float32)
        if exact:
            check_exact(index.exact(queries, k), queries, k, vectors, self.config.metric)
        else:
            check_sound(index.search(queries, k), queries, k, vectors, self.config.metric)

    def write(self, items: list[Any]) -> None:
        for id_, vector, number in items:
            self.items[id_] = (np.array(vector, np.float32), number)

    @staticmethod
    def arrays(items: list[Any]) -> tuple[Any, Any, list[Any]]:
        ids = np.array([item[0] for item in items], np.int64)
        vectors = np.array([item[1] for item in items], np.float32).reshape(-1, DIM)
        return ids, vectors, [item[2] for item in items]


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=25)
