"""Residual k-means: finds what was planted, repeats itself, refuses what has no clusters."""

import numpy as np
import pytest

from recsys_embed import ConfigError, InputError
from recsys_embed.semantic_ids import ResidualKMeans, measure_health
from recsys_embed.semantic_ids.kmeans import kmeans, means, nearest
from tests.semantic_ids.making import planted, same_partition


@pytest.mark.parametrize("seed", range(4))
def test_the_first_level_finds_planted_clusters(seed: int) -> None:
    contents, groups = planted(np.random.default_rng(seed), clusters=20, each=30, dim=8)
    codes = ResidualKMeans(levels=1, codes=20, seed=seed).fit(contents).encode(contents)
    assert same_partition(codes[:, 0], groups)


def test_the_second_level_finds_what_lies_inside_clusters(rng: np.random.Generator) -> None:
    # 6 centers far apart, and around each the same 4 offsets: the levels are the two factors.
    centers, offsets = 100 * rng.standard_normal((6, 5)), rng.standard_normal((4, 5))
    outer, inner = np.divmod(rng.permutation(np.repeat(np.arange(24), 20)), 4)
    contents = (centers[outer] + offsets[inner]).astype(np.float32)
    codebooks = ResidualKMeans(levels=2, codes=6).fit(contents)
    codes = codebooks.encode(contents)
    assert same_partition(codes[:, 0], outer)
    assert same_partition(codes[:, 0] * 6 + codes[:, 1], outer * 4 + inner)
    assert codebooks.relative_error(contents) < 1e-9
    assert measure_health(codebooks, contents).dead_codes == (0, 2)


def test_the_same_seed_gives_the_same_codebooks(rng: np.random.Generator) -> None:
    contents = rng.standard_normal((400, 6))
    digests = [
        ResidualKMeans(2, 16, seed=s, points_per_code=p).fit(contents).digest
        for s, p in ((1, 256), (1, 256), (2, 256), (1, 20))
    ]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_as_many_codes_as_items_leave_no_error(rng: np.random.Generator) -> None:
    contents = rng.standard_normal((32, 3)).astype(np.float32)
    codebooks = ResidualKMeans(levels=2, codes=32).fit(contents)
    health = measure_health(codebooks, contents)
    assert health.relative_error == 0 and health.unique_ids == 1
    assert health.perplexity[0] == pytest.approx(32) and health.perplexity[1] == pytest.approx(1)


def test_lloyd_never_makes_it_worse(rng: np.random.Generator) -> None:
    points = rng.standard_normal((500, 4)).astype(np.float32)
    errors = []
    for iterations in (1, 2, 5, 30):
        centers = kmeans(points, 12, iterations, np.random.default_rng(3))
        errors.append(np.square(points - centers[nearest(points, centers)]).sum())
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0]


def test_dead_codes_move_to_points_that_are_badly_served(rng: np.random.Generator) -> None:
    points = np.array([[0, 0], [0, 0], [9, 9], [9, 9]], np.float32)
    centers = np.array([[0, 0], [50, 50], [60, 60]], np.float32)
    moved = means(points, nearest(points, centers), centers, rng)
    np.testing.assert_array_equal(moved, [[4.5, 4.5], moved[1], moved[2]])
    assert all(row in points.tolist() for row in moved[1:].tolist())


def test_progress_hears_every_level(rng: np.random.Generator) -> None:
    heard: list[tuple[int, int]] = []
    ResidualKMeans(3, 4).fit(rng.standard_normal((50, 2)), lambda d, n: heard.append((d, n)))
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (np.ones((7, 3)), "7 items are fewer than the 8 codes of a level"),
        (np.zeros((0, 3)), "0 items are fewer than the 8 codes"),
        (np.ones((100, 3)), "100 items have only 1 distinct content vectors, fewer than the 8"),
        (np.full((100, 3), 1e-7), "only 1 distinct"),
        (np.eye(3).repeat(40, 0), "120 items have only 3 distinct content vectors"),
        (np.r_[np.eye(9), [[np.nan] * 9]], "1 of 10 content vectors are not finite; .* item 9"),
        (np.ones(100), r"shape \(N, 0\), got float64 \(100,\)"),
    ],
)
def test_contents_without_clusters_are_refused(contents: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ResidualKMeans(levels=2, codes=8).fit(contents)


@pytest.mark.parametrize("name", ["levels", "codes", "iterations", "points_per_code"])
def test_numbers_below_one_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"ResidualKMeans.{name} must be in \[1, \d+\], got 0"):
        ResidualKMeans(**{name: 0})
