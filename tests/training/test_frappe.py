"""The Frappe rebuild: its counts and its rules, on the real files."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_embed import InputError
from training.readers.frappe import FIELDS, Frappe, codes_by_appearance, draw_negatives, subtract


@pytest.fixture(scope="module")
def frappe(recsys_data: Path) -> pl.DataFrame:
    if not (recsys_data / "frappe").is_dir():
        pytest.skip(f"no folder frappe in {recsys_data}")
    return Frappe(str(recsys_data / "frappe"), seed=1).read()


def test_parts_have_the_published_sizes(frappe: pl.DataFrame) -> None:
    counted = {(p, y): n for p, y, n in frappe.group_by("part", "label").len().rows()}
    assert counted[("train", 1)] == 67_604 and counted[("train", 0)] == 134_423
    assert counted[("validation", 1)] + counted[("validation", 0)] == 57_722
    assert counted[("test", 1)] + counted[("test", 0)] == 28_860


def test_positives_are_the_events_of_the_log(frappe: pl.DataFrame, recsys_data: Path) -> None:
    raw = pl.read_csv(recsys_data / "frappe" / "frappe.csv", separator="\t", infer_schema=False)
    taken = frappe.filter(pl.col("label") == 1)
    assert len(taken) == len(raw)
    apps = raw["item"].cast(pl.Int64).value_counts(name="n").sort("item")
    assert (taken["item"] - 957).value_counts(name="n").sort("item").equals(apps)


def test_negatives_are_apps_their_user_never_used(frappe: pl.DataFrame) -> None:
    used = set(frappe.filter(pl.col("label") == 1).select("user", "item").rows())
    assert not used & set(frappe.filter(pl.col("label") == 0).select("user", "item").rows())


def test_negatives_keep_user_and_context(frappe: pl.DataFrame) -> None:
    context = [name for name in FIELDS if name != "item"]
    train = frappe.filter(pl.col("part") == "train")
    positives = set(train.filter(pl.col("label") == 1).select(context).rows())
    assert set(train.filter(pl.col("label") == 0).select(context).rows()) <= positives


def test_codes_follow_first_appearance() -> None:
    assert codes_by_appearance(np.array(["z", "a", "z", "m"])).tolist() == [0, 1, 0, 2]


def test_subtraction_respects_how_often_a_line_occurs() -> None:
    events = np.array([[1, 1], [2, 2], [1, 1], [1, 1]])
    left = subtract(events, np.array([[1, 1], [2, 2]]))
    assert left.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(InputError, match="do not belong together"):
        subtract(events, np.array([[2, 2], [2, 2]]))


def test_negatives_are_drawn_again_alike_for_the_same_seed() -> None:
    log = np.zeros((3, 10), np.int64)
    log[:, 1] = 957 + np.arange(3)
    first, second = (draw_negatives(log, log, 7, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(first) == 7 and not set(first[:, 1]) & {957, 958, 959}


def test_texts_are_those_of_the_apps(recsys_data: Path) -> None:
    if not (recsys_data / "frappe").is_dir():
        pytest.skip(f"no folder frappe in {recsys_data}")
    frame = Frappe(str(recsys_data / "frappe"), texts=True).read()
    assert frame["app"].null_count() == 0
    (text,) = frame.filter(pl.col("item") == 957 + 3)["app"].unique()
    assert text.startswith("Instagram Social Instagram")
