"""Sparse products against dense ones."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs
from training.retrieval.sparse import Sparse, adjacency, means


@given(
    st.integers(0, 10**6), st.integers(0, 7), st.integers(1, 9), st.integers(1, 5), st.floats(0, 1)
)
def test_products_and_their_gradients_are_those_of_dense_matrices(
    seed: int, height: int, width: int, dim: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < density
    cells = rng.permutation(np.argwhere(mask))
    values = rng.normal(size=len(cells))
    matrix = Sparse.of(Pairs(cells[:, 0], cells[:, 1]), values, (height, width))
    dense = torch.zeros(height, width)
    dense[tuple(cells.T)] = torch.from_numpy(values).float()
    weights = torch.randn(height, dim)
    for sparse, slow in ((matrix, dense), (matrix.transposed.transposed, dense)):
        vectors = torch.randn(width, dim, requires_grad=True)
        torch.testing.assert_close(sparse @ vectors, slow @ vectors)
        got, expected = (
            torch.autograd.grad(((m @ vectors) * weights).sum(), vectors)[0] for m in (sparse, slow)
        )
        torch.testing.assert_close(got, expected)
    back = torch.randn(height, dim)
    torch.testing.assert_close(matrix.transposed @ back, dense.T @ back)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng, before = np.random.default_rng(0), torch.get_num_threads()
    cells = Pairs(*rng.integers(0, 300, (2, 5000)))
    matrix = Sparse.of(cells, rng.normal(size=5000), (300, 300))
    vectors = torch.randn(300, 64)
    try:
        products = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            products.append(matrix @ vectors)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*products)


def test_rows_of_histories_are_means_and_those_of_the_graph_are_normalized() -> None:
    train = Pairs(np.array([0, 0, 2]), np.array([1, 0, 1]))
    interactions = Interactions(3, 2, train, NO_PAIRS, NO_PAIRS)
    assert (means(interactions) @ torch.eye(2)).tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 1.0]]
    root = 0.5**0.5
    expected = torch.tensor([[root, 0.5], [0.0, 0.0], [0.0, root]])
    torch.testing.assert_close(adjacency(interactions) @ torch.eye(2), expected)
