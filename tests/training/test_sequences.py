"""Sequences divided by position, and negatives that tell nothing by themselves."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import ConfigError, InputError
from training.readers import Sequences
from training.readers.sequences import draw_negatives, places

LINES = "7 1 2 3 4\n8 2 9\n\n9 5\n"
TEXTS = "item\ttext\n" + "".join(f"{item}\tword{item}\n" for item in range(1, 9))


def files(folder: Path, lines: str = LINES, texts: str = TEXTS) -> tuple[str, str]:
    (folder / "sequences.txt").write_text(lines)
    (folder / "items.tsv").write_text(texts)
    return str(folder / "sequences.txt"), str(folder / "items.tsv")


def random_lines(users: int, items: int, length: int) -> str:
    rng = np.random.default_rng(0)
    taken = [rng.permutation(items)[: rng.integers(1, length)] for _ in range(users)]
    return "\n".join(" ".join(map(str, [user, *own])) for user, own in enumerate(taken))


def test_the_last_is_for_test_and_the_one_before_for_validation(tmp_path: Path) -> None:
    frame = Sequences(*files(tmp_path)).read()
    positives = frame.filter(pl.col("label") == 1).drop("label")
    assert positives.rows() == [
        (7, 1, 0, "train", "word1"),
        (7, 2, 1, "train", "word2"),
        (7, 3, 2, "validation", "word3"),
        (7, 4, 3, "test", "word4"),
        (8, 2, 0, "validation", "word2"),
        (8, 9, 1, "test", None),
        (9, 5, 0, "test", "word5"),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([-1, -1, -1, 0, 1])), max_size=20),
)
def test_new_items_come_last_and_count_for_nobody(events: list[tuple[int, int]]) -> None:
    users = np.array([user for user, _ in events], np.int64)
    new = np.array([comes for _, comes in events], np.int64)
    left, positions = places(users, new)
    for n, (user, comes) in enumerate(events):
        own = [m for m, (other, known) in enumerate(events) if other == user and known < 0]
        after = len([m for m in own if m > n]) if comes < 0 else comes
        assert (left[n], positions[n]) == (after, max(len(own) - 1 - after, 0))


def test_items_and_users_are_in_negatives_as_often_as_in_positives(tmp_path: Path) -> None:
    data = Sequences(*files(tmp_path, random_lines(600, 200, 20)), new=(0.1, 0.2))
    frame = data.read()
    train, others = (
        frame.filter(f) for f in (pl.col("part") == "train", pl.col("part") != "train")
    )
    positives = train.filter(pl.col("label") == 1)
    assert len(train) == 2 * len(positives)
    assert frame.group_by("user", "item").agg(pl.col("label").n_unique() == 1)["label"].all()
    for column, most in (("user", 0), ("item", 0.1)):
        balance = train.group_by(column).agg((pl.col("label") * 2 - 1).sum())["label"]
        assert balance.abs().sum() <= most * len(train)
    seen = set(train["item"])
    unseen = others.filter(~pl.col("item").is_in(seen))
    assert unseen["label"].mean() == 0.5 and 40 < unseen["item"].n_unique() < 80
    assert set(others.filter(pl.col("part") == "validation")["item"]) - seen != set()


def test_equal_seeds_draw_equal_negatives(tmp_path: Path) -> None:
    paths = files(tmp_path, random_lines(50, 40, 9))
    first, again, other = (Sequences(*paths, seed=seed).read() for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)


def test_who_has_everything_gets_no_negative() -> None:
    users, items = np.array([1, 1, 2]), np.array([5, 6, 5])
    lines, chosen = draw_negatives(users, items, np.zeros(3, int), np.random.default_rng(0))
    assert lines.tolist() == [2] and chosen.tolist() == [6]


@pytest.mark.parametrize(
    ("lines", "texts", "message"),
    [
        ("1 a\n", TEXTS, "line 1: expected integers"),
        ("1\n", TEXTS, "found no item"),
        (LINES, "item\ttitle\n1\tx\n", "no column 'text'"),
    ],
)
def test_files_that_are_something_else_are_refused(
    tmp_path: Path, lines: str, texts: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Sequences(*files(tmp_path, lines, texts)).read()


def test_new_items_alone_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave items to train on"):
        Sequences("a", "b", new=(0.5, 0.5))
