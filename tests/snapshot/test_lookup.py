"""A lookup in a snapshot answers what a lookup in the table did."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError, MissingIdError
from recsys_embed.hashing import hash_string
from recsys_embed.row_maps import Hashed
from recsys_embed.snapshot import open_snapshot, write_snapshot
from recsys_embed.snapshot.table import SnapshotTable
from recsys_embed.table_config import TableConfig
from recsys_embed.threads import initial_values
from tests.snapshot.making import CONFIG, EDGES, planted, table_of

ABSENT = [5, -5, 2**62]


@pytest.fixture(params=[1, 3, 20], ids="{} shards".format)
def table(tmp_path: Path, request: pytest.FixtureRequest) -> SnapshotTable:
    write_snapshot(tmp_path, {"item": table_of(EDGES)}, shards=request.param)
    return open_snapshot(tmp_path).tables["item"]


@given(ids=st.lists(st.sampled_from(EDGES + ABSENT), max_size=30))
def test_order_and_duplicates_are_kept(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int]
) -> None:
    root = tmp_path_factory.mktemp("root")
    original = table_of(EDGES)
    write_snapshot(root, {"item": original}, shards=2)
    answer = open_snapshot(root).tables["item"].lookup(np.array(ids, np.int64))
    np.testing.assert_array_equal(answer.found, [i in EDGES for i in ids])
    np.testing.assert_array_equal(
        answer.values, original.lookup(np.array(ids, np.int64)), strict=True
    )


def test_an_id_without_a_row_reads_what_training_would_start_from(table: SnapshotTable) -> None:
    ids = np.array([EDGES[0], *ABSENT])
    answer = table.lookup(ids)
    np.testing.assert_array_equal(answer.values[1:], initial_values(CONFIG, ids[1:]), strict=True)
    np.testing.assert_array_equal(answer.values[0], planted(EDGES).weights[0])


@pytest.mark.parametrize(
    ("missing", "expected"), [("zeros", [0, 0, 0]), (np.array([1, 2, 3], np.float32), [1, 2, 3])]
)
def test_an_id_without_a_row_reads_what_the_caller_chose(
    table: SnapshotTable, missing: Any, expected: list[float]
) -> None:
    answer = table.lookup([ABSENT[0], EDGES[1]], missing=missing)
    np.testing.assert_array_equal(answer.values, [expected, planted([EDGES[1]]).weights[0]])
    np.testing.assert_array_equal(answer.found, [False, True])


def test_an_id_without_a_row_is_an_error_where_the_caller_wants_one(table: SnapshotTable) -> None:
    with pytest.raises(MissingIdError, match="'item' has no row for 1 of the ids: 5"):
        table.lookup([0, 5], missing="error")
    assert table.lookup([0, 1], missing="error").found.all()


@pytest.mark.parametrize(
    "missing", ["nothing", np.zeros(2, np.float32), np.zeros(3), np.zeros((1, 3), np.float32)]
)
def test_another_policy_is_refused_even_where_nothing_is_missing(
    table: SnapshotTable, missing: Any
) -> None:
    with pytest.raises(InputError, match="missing (must|cannot) be"):
        table.lookup([0], missing=missing)


def test_no_ids_read_no_vectors(table: SnapshotTable) -> None:
    answer = table.lookup([])
    assert answer.values.shape == (0, 3)
    assert answer.found.shape == (0,)


def test_an_empty_table_finds_nothing(tmp_path: Path) -> None:
    write_snapshot(tmp_path, {"item": table_of([])}, shards=2)
    answer = open_snapshot(tmp_path).tables["item"].lookup([1, 2], missing="zeros")
    assert not answer.found.any()


def test_strings_are_looked_up_by_their_hash(tmp_path: Path) -> None:
    ids = [hash_string("red"), hash_string("blau")]
    write_snapshot(tmp_path, {"item": table_of(ids)})
    answer = open_snapshot(tmp_path).tables["item"].lookup(["blau", "green", "red"])
    np.testing.assert_array_equal(answer.found, [True, False, True])
    np.testing.assert_array_equal(answer.values[[2, 0]], planted(ids).weights)


def test_the_row_map_of_the_table_is_applied(tmp_path: Path) -> None:
    config = TableConfig.of("item", 3, row_map=Hashed(rows=4))
    original = table_of([0, 1, 2], config)  # row 3 does not exist
    write_snapshot(tmp_path, {"item": original})
    ids = np.arange(100)
    answer = open_snapshot(tmp_path).tables["item"].lookup(ids)
    np.testing.assert_array_equal(answer.values, original.lookup(ids), strict=True)
    np.testing.assert_array_equal(answer.found, config.row_map.map(ids).rows[0] < 3)


def test_many_threads_may_make_the_first_lookup(tmp_path: Path) -> None:
    ids = list(range(1000))
    write_snapshot(tmp_path, {"item": table_of(ids)}, shards=3)
    table = open_snapshot(tmp_path).tables["item"]
    start, answers = threading.Barrier(8), []

    def look() -> None:
        start.wait()
        answers.append((table.lookup(ids), table.build_index()))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    for answer, index in answers:
        np.testing.assert_array_equal(answer.values, planted(ids).weights)
        assert index is answers[0][1]
