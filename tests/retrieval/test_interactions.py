"""Reading pairs, and dividing them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError
from tests.retrieval.making import planted
from training.readers.paths import data_root
from training.retrieval.interactions import NO_PAIRS, Interactions, Pairs, read_adjacency


def rows(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True))


def test_lines_become_pairs(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("0 3 1\n1\n\n2 0\n")
    (tmp_path / "test.txt").write_text("2 4\n")
    read = read_adjacency(tmp_path)
    assert (read.num_users, read.num_items) == (3, 5)
    assert rows(read.train) == [(0, 3), (0, 1), (2, 0)]
    assert rows(read.test) == [(2, 4)] and not rows(read.validation)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found none"),
        ("0 x", "lines of numbers"),
        ("0 -1", "numbered from 0"),
        (None, "no such"),
    ],
)
def test_what_is_no_adjacency_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "train.txt").write_text(text)
    (tmp_path / "test.txt").write_text("0 1")
    with pytest.raises(InputError, match=message):
        read_adjacency(tmp_path)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40), st.floats(0, 0.99))
def test_carving_moves_a_share_of_each_user_and_loses_nothing(
    pairs: list[tuple[int, int]], share: float
) -> None:
    train = Pairs(*np.array(pairs, np.int64).reshape(-1, 2).T)
    carved = Interactions(5, 10, train, NO_PAIRS, NO_PAIRS).carve(share, seed=3)
    assert sorted(rows(carved.train) + rows(carved.validation)) == sorted(pairs)
    had, moved = (np.bincount(p.users, minlength=5) for p in (train, carved.validation))
    assert moved.tolist() == (had * share).astype(int).tolist()


def test_carving_twice_is_refused_and_seeds_differ() -> None:
    carved = planted().carve(0.3, seed=1)
    with pytest.raises(InputError, match="carved once"):
        carved.carve(0.3)
    assert rows(carved.validation) != rows(planted().carve(0.3, seed=2).validation)
    assert rows(carved.validation) == rows(planted().carve(0.3, seed=1).validation)


def test_dealing_anew_keeps_every_pair_and_each_user_s_share() -> None:
    whole = planted()
    dealt = whole.deal_anew(0.25, seed=1)
    before, after = (sorted(rows(x.train) + rows(x.test)) for x in (whole, dealt))
    assert before == after and rows(dealt.test) != rows(whole.test)
    assert np.bincount(dealt.test.users).tolist() == [3] * whole.num_users
    with pytest.raises(InputError, match="before a validation part"):
        whole.carve(0.2).deal_anew(0.25)


def test_what_is_known_is_train_and_validation() -> None:
    whole = planted()
    assert sorted(rows(whole.carve(0.3).known)) == sorted(rows(whole.train))


def test_a_part_of_the_users_has_items_numbered_anew() -> None:
    train = Pairs(np.array([0, 0, 1, 2, 2]), np.array([5, 7, 7, 5, 8]))
    test = Pairs(np.array([0, 1]), np.array([8, 7]))
    part = Interactions(3, 9, train, NO_PAIRS, test).of_users(2, items_at_least=1)
    assert (part.num_users, part.num_items) == (2, 2)
    assert rows(part.train) == [(0, 0), (0, 1), (1, 1)] and rows(part.test) == [(1, 1)]


@pytest.mark.skipif(not (data_root() / "gowalla").is_dir(), reason="needs RECSYS_DATA/gowalla")
def test_gowalla_has_the_published_counts() -> None:
    read = read_adjacency(data_root() / "gowalla")
    assert (read.num_users, read.num_items) == (29_858, 40_981)
    assert (len(read.train.users), len(read.test.users)) == (810_128, 217_242)
