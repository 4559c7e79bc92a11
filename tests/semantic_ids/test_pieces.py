"""Pieces: the likeliest segmentation, as trying all gives it; what is learned from counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError
from recsys_embed.semantic_ids import Pieces
from recsys_embed.semantic_ids.piece_training import train_pieces
from tests.reference.semantic_codes import best_total


def drawn_pieces(seed: int, levels: int, per_level: int, longer: int) -> Pieces:
    """All single codes and up to `longer` longer runs, with scores drawn at random."""
    rng = np.random.default_rng(seed)
    codes = {(s, (c,)) for s in range(levels) for c in range(per_level)}
    for _ in range(longer if levels > 1 else 0):
        start, end = sorted(rng.choice(levels + 1, 2, replace=False))
        codes.add((int(start), tuple(rng.integers(0, per_level, end - start).tolist())))
    table = np.full((len(codes), levels), -1)
    for row, (start, run) in zip(table, sorted(codes), strict=True):
        row[start : start + len(run)] = run
    return Pieces(table[rng.permutation(len(table))], -rng.random(len(table)) * 5)


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 3), st.integers(0, 30))
def test_segments_make_up_the_id_and_have_the_highest_score(
    seed: int, levels: int, per_level: int, longer: int
) -> None:
    pieces = drawn_pieces(seed, levels, per_level, longer)
    codes = np.random.default_rng(seed + 1).integers(0, per_level, (9, levels))
    scores = {
        (int(np.argmax(run >= 0)), tuple(run[run >= 0].tolist())): float(score)
        for run, score in zip(pieces.codes, pieces.scores, strict=True)
    }
    for row, segments in zip(codes, pieces.segment(codes), strict=True):
        found = segments[segments >= 0]
        assert (segments[len(found) :] == -1).all()
        runs = [pieces.codes[p][pieces.codes[p] >= 0] for p in found]
        assert np.concatenate(runs).tolist() == row.tolist()
        total = pieces.scores[found].astype(np.float64).sum()
        assert total == pytest.approx(best_total(row.tolist(), scores), abs=1e-4)


def test_no_ids_have_no_pieces() -> None:
    assert drawn_pieces(0, 3, 2, 5).segment(np.zeros((0, 3), int)).shape == (0, 3)


def shown(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """IDs of 3 codes of 8; one is shown as often as all the others together."""
    codes = rng.integers(0, 7, (400, 3))  # code 7 is in no ID
    codes[0] = [6, 6, 6]
    return codes, np.r_[4000, rng.integers(1, 20, 399)]


def test_what_is_shown_often_becomes_one_piece(rng: np.random.Generator) -> None:
    codes, counts = shown(rng)
    pieces = train_pieces(codes, counts, rows=60, per_level=8)
    lengths = (pieces.segment(codes) >= 0).sum(axis=1)
    assert lengths[0] == 1 and lengths[1:].mean() > 1.5
    unweighted = train_pieces(codes, np.ones(400, int), rows=60, per_level=8)
    often = unweighted.segment(codes)
    assert np.average(lengths, weights=counts) < np.average((often >= 0).sum(1), weights=counts)


def test_there_are_as_many_pieces_as_rows_and_every_code_is_one(rng: np.random.Generator) -> None:
    codes, counts = shown(rng)
    for rows in (24, 25, 100):
        pieces = train_pieces(codes, counts, rows, per_level=8)
        assert len(pieces) == rows and pieces.per_level == 8
        assert pieces.segment([[7, 7, 7]]).min() >= 0  # never shown
    few = train_pieces([[0, 1]], [5], rows=1000, per_level=2)
    assert 4 <= len(few) <= 5


def test_more_rows_make_ids_shorter(rng: np.random.Generator) -> None:
    codes, counts = shown(rng)
    lengths = [
        np.average((train_pieces(codes, counts, rows, 8).segment(codes) >= 0).sum(1))
        for rows in (24, 60, 200)
    ]
    assert lengths[0] == 3 and lengths == sorted(lengths, reverse=True) and lengths[2] < 2.5


def test_the_same_ids_teach_the_same_pieces_in_any_order(rng: np.random.Generator) -> None:
    codes, counts = shown(rng)
    order = rng.permutation(400)
    one = train_pieces(codes, counts, 60, 8)
    other = train_pieces(codes[order], counts[order], 60, 8)
    np.testing.assert_array_equal(one.codes, other.codes)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("counts", "rows", "words"),
    [
        ([1, 1], 3, "2 levels of 2 codes are 4 pieces by themselves; got 3 rows"),
        ([0, 0], 9, "not all 0, got a sum of 0 over 2 items"),
        ([2, -1], 9, "got a sum of 1 over 2 items and 1 below 0"),
        ([1], 9, r"counts of 2 items, got int64 \(1,\)"),
        ([0.5, 1], 9, "got float64"),
    ],
)
def test_counts_and_rows_that_teach_nothing_are_refused(
    counts: list, rows: int, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        train_pieces([[0, 1], [1, 0]], counts, rows, per_level=2)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([[0, -1], [-1, 0], [1, 1]], "2 levels of 2 codes need 4 pieces of one code, got 2"),
        ([[0, -1, 0]], "piece 0 does not cover adjacent levels"),
        ([[0, 0], [-1, -1]], "piece 1 does not cover"),
        ([0, 1], r"got \(2,\) and \(2,\)"),
    ],
)
def test_pieces_that_cannot_make_up_every_id_are_refused(codes: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Pieces(codes, np.zeros(len(codes)))
