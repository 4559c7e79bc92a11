"""Searches with a filter, which may have nothing or all to do with where items lie."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Result, paired, speedup
from benchmarks.nearest.sides import K, build, in_calls
from benchmarks.nearest.truth import best, recall
from benchmarks.nearest.vectors import Float, Int, VectorSet
from recsys_embed.index import Found, Index, IndexConfig
from recsys_embed.index.attributes import Schema
from recsys_embed.index.filters import Predicate, parse

SCHEMA = Schema({"price": "float", "countries": "tags"})
SHARES = {"50": 0.5, "10": 0.1, "1": 0.01, "01": 0.001}  # of items that match, by name in keys
COUNTRIES = dict(zip(("DE", "FR", "AT", "MT"), SHARES.values(), strict=True))
ASKED, EXCLUDED = 300, 50
WARMUP, KEPT = 2, 6


class Shop:
    """Prices and countries of a set's items.

    An item is sold in each country or not by chance. A group of near items costs about the same,
    so that a bound on the price takes whole groups away: for most users the best ones.
    """

    def __init__(self, of: VectorSet) -> None:
        rng = np.random.default_rng(7)
        self.sold = {c: rng.random(len(of.ids)) < share for c, share in COUNTRIES.items()}
        dear = rng.permutation(int(of.groups.max()) + 1)[of.groups] + rng.random(len(of.ids))
        place = np.empty(len(of.ids))
        place[np.argsort(dear)] = np.arange(len(of.ids)) / len(of.ids)
        self.price = 1 + 500 * place**2

    @property
    def attributes(self) -> dict[str, Any]:
        """What an index is given, by attribute."""
        tags = [[c for c in COUNTRIES if self.sold[c][i]] for i in range(len(self.price))]
        return {"price": self.price, "countries": tags}

    def filters(self) -> Iterator[tuple[str, str, Any, NDArray[np.bool_]]]:
        """Gives the share's name, whether it goes with place, the filter, and what matches."""
        for (name, share), country in zip(SHARES.items(), COUNTRIES, strict=True):
            yield name, "any_place", {"field": "countries", "eq": country}, self.sold[country]
            bound = float(np.quantile(self.price, share))
            yield name, "by_place", {"field": "price", "lt": bound}, self.price < bound


class Filters:
    """Measures sets one after the other; the summary takes the worst of sets and filters."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.recalls: dict[str, list[float]] = {name: [] for name in SHARES}
        self.short = 0
        self.plans: dict[str, str] = {}

    def measure(self, of: VectorSet) -> Iterator[Result]:
        """Gives all figures of a set, in an inverted file of float32."""
        faiss.omp_set_num_threads(1)
        shop = Shop(of)
        index = build(of, IndexConfig(kind="ivf"), schema=SCHEMA, attributes=shop.attributes).index
        for name, how, json, matches in shop.filters():
            where = parse(json, SCHEMA)
            key = f"filter_{name}_{how}_{of.name}"
            yield self._recall(key, name, of, index, where, matches)
            yield self._speed(key, of, index, where, matches)
        yield self._cold(of, index, shop)
        yield self._excluded(of, index)

    def summary(self) -> Iterator[Result]:
        """Gives the worst of all."""
        for name, recalls in self.recalls.items():
            yield Result(f"recall_filter_{name}", min(recalls), target=0.99)
        yield Result("answers_short_of_k", self.short, target=0, at_most=True)

    def _recall(
        self, key: str, name: str, of: VectorSet, index: Index, where: Predicate, matches: Any
    ) -> Result:
        queries = of.asked[:ASKED]
        rows = np.flatnonzero(matches)
        true = of.ids[rows[best(of.vectors[rows], queries, K)]]
        found = [index.search(query[None], K, where=where) for query in queries]
        self.short += sum(int(one.counts[0]) < true.shape[1] for one in found)
        self.plans[key] = found[0].plan
        share = recall(*_together(found), true)
        self.recalls[name].append(share)
        return Result(f"recall_{key}", share)

    def _speed(
        self, key: str, of: VectorSet, index: Index, where: Predicate, matches: NDArray[np.bool_]
    ) -> Result:
        flat = faiss.IndexFlatIP(of.vectors.shape[1])
        flat.add(of.vectors)
        bits = np.packbits(matches, bitorder="little")
        params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        pairs = paired(
            lambda query: index.search(query, K, where=where),
            lambda query: flat.search(query, K, params=params),
            in_calls(of.asked, 1, self.blocks * (WARMUP + KEPT)), WARMUP, KEPT, median,
        )  # fmt: skip
        return speedup(f"qps_{key}", pairs, 1, "q/s", None)

    def _cold(self, of: VectorSet, index: Index, shop: Shop) -> Result:
        """Compares filters that nobody has asked before with one that is asked every time."""
        bounds = iter(np.quantile(shop.price, np.linspace(0.09, 0.11, 10_000)).tolist())
        known = parse({"field": "price", "lt": float(np.quantile(shop.price, 0.1))}, SCHEMA)

        def new(query: Float) -> None:
            where = parse({"field": "price", "lt": next(bounds)}, SCHEMA)
            index.search(query, K, where=where)

        calls = in_calls(of.asked, 1, self.blocks * (WARMUP + KEPT))
        pairs = paired(new, lambda q: index.search(q, K, where=known), calls, WARMUP, KEPT, median)
        return speedup(f"qps_filter_10_never_asked_{of.name}", pairs, 1, "q/s", None)

    def _excluded(self, of: VectorSet, index: Index) -> Result:
        """Keeps the best items of each query out: what was seen already."""
        queries = of.asked[:ASKED]
        ranked = _ranked(of, queries)
        found = [
            index.search(query[None], K, exclude=[of.ids[row[:EXCLUDED]]])
            for query, row in zip(queries, ranked, strict=True)
        ]
        share = recall(*_together(found), of.ids[ranked[:, EXCLUDED:]])
        return Result(f"recall_best_{EXCLUDED}_excluded_{of.name}", share)


def _together(found: list[Found]) -> tuple[Int, Int]:
    return np.concatenate([one.ids for one in found]), np.concatenate([o.counts for o in found])


def _ranked(of: VectorSet, queries: Float) -> Int:
    """Gives the places of the best K + EXCLUDED items, best first."""
    rows = best(of.vectors, queries, K + EXCLUDED)
    scores = np.einsum("qd,qkd->qk", queries, of.vectors[rows])
    return np.take_along_axis(rows, np.argsort(-scores, axis=1), axis=1)
