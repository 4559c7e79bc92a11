"""A bridge finds the drift that was planted, and says how well it does on other queries."""

from typing import Any

import numpy as np
import pytest

from recsys_embed import InputError
from recsys_embed.retrieval.bridge_validation import recall_between, validated_bridge
from recsys_embed.retrieval.bridging import Bridging, fit_bridge
from recsys_embed.retrieval.description import Bridge

DIM = 6


@pytest.fixture
def queries(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(400, DIM)).astype(np.float32)


@pytest.fixture
def items(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(500, DIM)).astype(np.float32)


def rotation(rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(DIM, DIM)))[0].astype(np.float32)


def drifted(kind: str, old: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """New queries of which a bridge of this kind, and no simpler one, leads back to the old."""
    shift = rng.normal(size=DIM).astype(np.float32)
    matrix = {
        "mean": np.eye(DIM, dtype=np.float32),
        "procrustes": rotation(rng),
        "linear": rng.normal(size=(DIM, DIM)).astype(np.float32),
    }[kind]
    return old @ matrix + shift


@pytest.mark.parametrize("kind", ["mean", "procrustes", "linear"])
def test_a_planted_drift_is_undone(kind: Any, queries, rng) -> None:
    new = drifted(kind, queries, rng)
    bridging = fit_bridge(queries[:300], new[:300], kind)
    np.testing.assert_allclose(bridging.apply(new[300:]), queries[300:], atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "drift"), [("mean", "procrustes"), ("mean", "linear"), ("procrustes", "linear")]
)
def test_a_simpler_bridge_does_not_reach_so_far(kind: Any, drift: str, queries, rng) -> None:
    new = drifted(drift, queries, rng)
    assert np.abs(fit_bridge(queries, new, kind).apply(new) - queries).mean() > 0.1


def test_a_procrustes_bridge_turns_and_never_stretches(queries, rng) -> None:
    bridging = fit_bridge(queries, drifted("linear", queries, rng), "procrustes")
    assert bridging.matrix is not None
    np.testing.assert_allclose(bridging.matrix @ bridging.matrix.T, np.eye(DIM), atol=1e-5)


def test_a_linear_bridge_leads_to_other_dimensions(queries, rng) -> None:
    new = queries @ rng.normal(size=(DIM, DIM + 3)).astype(np.float32)
    bridging = fit_bridge(queries, new, "linear")
    assert bridging.apply(new).shape == queries.shape
    np.testing.assert_allclose(bridging.apply(new), queries, atol=1e-3)


def test_several_vectors_of_one_user_go_over_the_bridge_together(queries, rng) -> None:
    bridging = fit_bridge(queries, drifted("procrustes", queries, rng), "procrustes")
    together = bridging.apply(queries.reshape(100, 4, DIM))
    np.testing.assert_allclose(together.reshape(400, DIM), bridging.apply(queries), atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "procrustes", "linear"])
def test_a_bridge_comes_back_from_its_arrays(kind: Any, queries, rng) -> None:
    bridging = fit_bridge(queries, drifted(kind, queries, rng), kind)
    again = Bridging.of(kind, bridging.arrays())
    np.testing.assert_array_equal(again.apply(queries), bridging.apply(queries))


@pytest.mark.parametrize("metric", ["inner_product", "cosine"])
def test_a_bridge_says_how_well_it_does_on_queries_it_did_not_see(
    metric: Any, queries, items, rng
) -> None:
    new = drifted("procrustes", queries, rng)
    told, bridging = validated_bridge("v1", queries, new, items, "procrustes", metric, k=10)
    assert (told.to, told.kind, told.k, told.queries) == ("v1", "procrustes", 10, 100)
    assert told.recall > 0.99
    weak, _ = validated_bridge("v1", queries, new, items, "mean", metric, k=10)
    assert weak.recall < 0.5
    assert isinstance(told, Bridge) and isinstance(bridging, Bridging)


def test_memorized_queries_do_not_count() -> None:
    """Noise that a linear map fits exactly on what it saw says nothing of other queries."""
    rng = np.random.default_rng(3)
    old, new = rng.normal(size=(2, 80, 40)).astype(np.float32)
    items = rng.normal(size=(1000, 40)).astype(np.float32)
    told, bridging = validated_bridge("v1", old, new, items, "linear", "cosine", 10, held_out=0.4)
    assert told.recall < 0.2
    assert recall_between(old, bridging.apply(new), items, 10, "cosine") > 2 * told.recall


@pytest.mark.parametrize("metric", ["inner_product", "cosine"])
def test_recall_counts_neighbours_one_by_one(metric: str, queries, items) -> None:
    other = queries + np.float32(0.7)
    lengths = np.linalg.norm(items, axis=1) if metric == "cosine" else 1

    def neighbours(query: np.ndarray) -> set[int]:
        return set(np.argsort(-(items @ query) / lengths)[:7].tolist())

    shared = [len(neighbours(a) & neighbours(b)) for a, b in zip(queries, other, strict=True)]
    found = recall_between(queries, other, items, 7, metric)  # type: ignore[arg-type]
    assert found == pytest.approx(np.mean(shared) / 7)


def test_all_items_are_everybodys_neighbours(queries, items) -> None:
    assert recall_between(queries, -queries, items[:5], 100, "cosine") == 1


Q = np.ones((4, 2), np.float32)
REFUSED = {
    "another number of queries": (lambda: fit_bridge(Q, Q[:3], "mean"), r"\(4, 2\) and \(3, 2\)"),
    "no queries": (lambda: fit_bridge(Q[:0], Q[:0], "mean"), r"\(0, 2\) and \(0, 2\)"),
    "other dimensions": (
        lambda: fit_bridge(Q, np.ones((4, 3), np.float32), "procrustes"),
        "only a linear bridge leads from 3 to 2 dimensions, not a procrustes one",
    ),
    "too few for a linear one": (
        lambda: fit_bridge(Q[:2], Q[:2], "linear"),
        "from 2 dimensions needs more queries than these, got 2",
    ),
    "NaN": (lambda: fit_bridge(Q * np.nan, Q, "mean"), "queries must be finite"),
    "an unknown kind": (
        lambda: Bridging("procrust", None, Q[0]),  # type: ignore[arg-type]
        "no bridge is 'procrust'; did you mean 'procrustes'",
    ),
    "a mean with a matrix": (lambda: Bridging("mean", Q[:2], Q[0]), r"mean bridge .*\(2, 2\)"),
    "a rotation without a matrix": (lambda: Bridging("procrustes", None, Q[0]), "got None"),
    "a shift of another width": (
        lambda: Bridging("linear", Q, np.ones(3, np.float32)),
        r"got \(4, 2\) and \(3,\)",
    ),
    "an endless shift": (lambda: Bridging("mean", None, Q[0] * np.inf), "bridge must be finite"),
    "arrays of another kind": (
        lambda: Bridging.of("linear", {"shift": Q[0]}),
        r"a linear bridge is spelled by \{'matrix'.* got \{'shift'",
    ),
    "nothing to measure with": (
        lambda: validated_bridge("v1", Q, Q, Q, "mean", "cosine", held_out=0.1),
        "4 queries and a share of 0.1 leave 4 to fit and 0 to measure",
    ),
    "nothing to fit": (
        lambda: validated_bridge("v1", Q, Q, Q, "mean", "cosine", held_out=1.0),
        "leave 0 to fit and 4 to measure",
    ),
    "no items": (
        lambda: validated_bridge("v1", Q, Q, Q[:0], "mean", "cosine"),
        r"recall needs .*got \(1, 2\), \(0, 2\) and 100",
    ),
    "no neighbours": (lambda: recall_between(Q, Q, Q, 0, "cosine"), r"k >= 1; got .* and 0"),
}


@pytest.mark.parametrize(("call", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_bridge_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
