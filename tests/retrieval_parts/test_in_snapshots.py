"""What retrieval spells as arrays comes back from a snapshot as it was, be it of nothing."""

from pathlib import Path

import numpy as np
import pytest

from recsys_embed import Segment, TableConfig, make_table
from recsys_embed.index.attributes import Schema, arrays_of, values_of
from recsys_embed.index.projection import Projection, learn_projection
from recsys_embed.retrieval.bridging import Bridging, fit_bridge
from recsys_embed.retrieval.description import array_name, arrays_under
from recsys_embed.retrieval.relevance import Adapter
from recsys_embed.retrieval.relevance_fitting import fit_adapter
from recsys_embed.retrieval.relevance_learning import Fitting
from recsys_embed.snapshot import open_snapshot, write_snapshot

SCHEMA = Schema({"price": "float", "country": "str", "topics": "tags", "sold": "bool"})


@pytest.mark.parametrize("items", [0, 1, 9])
def test_arrays_travel_in_snapshots(tmp_path: Path, rng: np.random.Generator, items: int) -> None:
    queries, scores = rng.normal(size=(40, 4)).astype(np.float32), rng.random((40, 5), np.float32)
    adapter = fit_adapter(queries, scores, scores > 0.5, "cosine", Fitting(epochs=1)).adapter
    bridging = fit_bridge(queries, queries[:, ::-1] + 1, "procrustes")
    projection = learn_projection(queries, queries, 2)
    values = {
        "price": [0.5 * n if n % 3 else None for n in range(items)],
        "country": ["é" * n or None for n in range(items)],
        "topics": [("a", "b")[: n % 3] if n % 4 else None for n in range(items)],
        "sold": [n % 2 == 0 for n in range(items)],
    }
    parts = {
        "relevance": adapter.arrays(),
        "bridges/v1": bridging.arrays(),
        "projection": projection.arrays(),
        "attributes": arrays_of(values, SCHEMA),
    }
    table = make_table(TableConfig("item", (Segment(2),)))
    write_snapshot(
        tmp_path,
        {"item": table},
        dense={
            array_name("items", part, name): array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        },
    )
    dense = open_snapshot(tmp_path).dense
    of = {part: arrays_under(dense, "items", part) for part in parts}
    again = Adapter.of(of["relevance"])
    assert again.threshold(0.5) == adapter.threshold(0.5)
    np.testing.assert_array_equal(
        again.probability(queries, scores), adapter.probability(queries, scores)
    )
    found = Bridging.of("procrustes", of["bridges/v1"]).apply(queries)
    np.testing.assert_array_equal(found, bridging.apply(queries))
    found = Projection.from_arrays(of["projection"]).of_items(queries)
    np.testing.assert_array_equal(found, projection.of_items(queries))
    assert values_of(of["attributes"], SCHEMA) == values
