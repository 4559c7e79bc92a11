"""What is written comes back bit for bit, whatever the numbers of rows and shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError, InputError
from recsys_embed.mapped_table import make_table
from recsys_embed.optimizers import SGD, Adagrad
from recsys_embed.row_maps import Hashed
from recsys_embed.rules import Admission, FeatureRule
from recsys_embed.snapshot import open_snapshot, write_snapshot
from recsys_embed.table_config import Segment, TableConfig
from tests.snapshot.making import CONFIG, EDGES, by_id, planted, saved, table_of

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(ids=st.lists(INT64, unique=True, max_size=60), shards=st.integers(1, 9))
def test_every_row_comes_back_from_any_number_of_shards(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], shards: int
) -> None:
    root = tmp_path_factory.mktemp("root")
    write_snapshot(root, {"item": table_of(ids)}, shards=shards)
    table = open_snapshot(root).tables["item"]
    assert by_id(table.rows()) == by_id([planted(ids)])
    assert table.num_rows == len(ids)
    assert len(table.columns["ids"]) == shards
    assert by_id(table.restore().rows()) == by_id([planted(ids)])


@pytest.mark.parametrize(("written", "again"), [(1, 3), (3, 1), (2, 7), (40, 2)])
def test_shards_may_be_split_and_joined_on_the_way(
    tmp_path: Path, written: int, again: int
) -> None:
    write_snapshot(tmp_path / "a", {"item": table_of(EDGES)}, shards=written)
    restored = open_snapshot(tmp_path / "a").tables["item"].restore()
    write_snapshot(tmp_path / "b", {"item": restored}, shards=again)
    assert by_id(open_snapshot(tmp_path / "b").tables["item"].rows()) == by_id([planted(EDGES)])


def test_kept_parts_of_a_snapshot_are_the_whole(tmp_path: Path) -> None:
    saved(tmp_path, count=50, shards=3)
    table = open_snapshot(tmp_path).tables["item"]
    parts = [table.restore(lambda ids, part=part: ids % 4 == part) for part in range(4)]
    assert [len(part) for part in parts] == [13, 13, 12, 12]
    assert by_id(b for part in parts for b in part.rows()) == by_id([planted(range(50))])


@pytest.mark.parametrize(
    "segments",
    [
        (Segment(1, SGD()),),
        (Segment(1, SGD()), Segment(16, Adagrad())),
        (Segment(64, Adagrad()),),
    ],
)
def test_tables_of_any_segments_come_back(tmp_path: Path, segments: tuple[Segment, ...]) -> None:
    config = TableConfig("t", segments)
    write_snapshot(tmp_path, {"t": table_of(EDGES, config)}, shards=2)
    assert by_id(open_snapshot(tmp_path).tables["t"].rows()) == by_id([planted(EDGES, config)])


def test_tables_whose_names_are_prefixes_or_odd_do_not_mix(tmp_path: Path) -> None:
    names = ["a", "ab", "a/b", "..", ".", "user id", "日本", "%2E"]
    tables = {name: table_of([salt], salt=salt) for salt, name in enumerate(names)}
    write_snapshot(tmp_path, tables)
    found = open_snapshot(tmp_path).tables
    assert list(found) == names
    for salt, name in enumerate(names):
        assert by_id(found[name].rows()) == by_id([planted([salt], salt=salt)])


@pytest.mark.parametrize("shards", [1, 4])
def test_training_on_from_a_snapshot_is_as_if_never_stopped(
    tmp_path: Path, rng: np.random.Generator, shards: int
) -> None:
    config = TableConfig(
        "item",
        (Segment(1, SGD()), Segment(4, Adagrad())),
        features=(FeatureRule("shown", threshold=3, ttl_s=50), FeatureRule("bought", threshold=2)),
        admission=Admission("exact"),
    )
    steps = [
        (rng.integers(0, 60, 30), rng.normal(size=(30, 5)).astype(np.float32)) for _ in range(6)
    ]
    never_stopped, stopped = make_table(config), make_table(config)
    for now, (ids, grads) in enumerate(steps):
        for table in (never_stopped, stopped):
            seen = table.train_lookup(ids, feature=now % 2, time=1000 + 20 * now)
            table.apply_gradients(seen.rows, grads, lr=0.1)
        write_snapshot(tmp_path, {"item": stopped}, shards=shards)
        stopped = open_snapshot(tmp_path).tables["item"].restore()
    assert 0 < len(stopped) < 60
    assert by_id(stopped.rows()) == by_id(never_stopped.rows())
    for name in ("admitted", "filtered", "expired", "evicted", "deleted", "dropped_gradients"):
        assert getattr(stopped.stats(), name) == getattr(never_stopped.stats(), name), name
    assert stopped.stats().filtered > 0 < stopped.stats().expired


def test_dense_arrays_and_extra_values_come_back(tmp_path: Path) -> None:
    dense = {
        "w": np.arange(6, dtype=np.float64).reshape(2, 3),
        "column-major": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
        "every second": np.arange(10, dtype=np.int32)[::2],
        "scalar": np.float32(3.5),
        "empty": np.zeros((0, 4), np.uint8),
        "flags": np.array([True, False]),
    }
    extra = {"step": 12, "nested": {"a": [1, 2.5, None, "é"]}}
    write_snapshot(tmp_path, {}, dense=dense, extra=extra)
    snapshot = open_snapshot(tmp_path)
    assert snapshot.extra == extra
    assert snapshot.dense.keys() == dense.keys()
    for name, array in dense.items():
        np.testing.assert_array_equal(snapshot.dense[name], array, strict=True)


def test_arrays_of_a_snapshot_are_read_only(tmp_path: Path) -> None:
    snapshot = open_snapshot(saved(tmp_path))
    with pytest.raises(ValueError, match="read-only"):
        snapshot.tables["item"].columns["weights"][0][0, 0] = 1


def test_each_tensor_begins_at_a_multiple_of_64_bytes_in_memory(tmp_path: Path) -> None:
    columns = open_snapshot(saved(tmp_path, count=7, shards=1)).tables["item"].columns
    assert {name: shards[0].ctypes.data % 64 for name, shards in columns.items()} == dict.fromkeys(
        columns, 0
    )


def test_progress_ends_at_the_bytes_of_all_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = saved(tmp_path, progress=lambda done, total: seen.append((done, total)))
    size = sum(file.stat().st_size for file in path.rglob("*.safetensors"))
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shards": 0}, "shards=0"),
        ({"keep": 0}, "keep=0"),
        ({"extra": {"x": object()}}, "plain JSON"),
        ({"extra": {"x": (1, 2)}}, "tuples"),
        ({"extra": {1: 2}}, "keys"),
        ({"extra": {"x": float("nan")}}, "plain JSON"),
        ({"dense": {"x": np.array(["a"])}}, "'x' has dtype"),
        ({"dense": {"__metadata__": np.zeros(1)}}, "__metadata__"),
        ({"dense": {"__pad_x": np.zeros(1)}}, "__pad_x"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    tmp_path: Path, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        write_snapshot(tmp_path / "root", {}, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("other", "field"),
    [
        (TableConfig.of("item", 4, optimizer=CONFIG.segments[0].optimizer), "segments"),
        (TableConfig.of("item", 3, optimizer=SGD()), "segments"),
        (TableConfig.of("user", 3, optimizer=CONFIG.segments[0].optimizer), "name"),
        (TableConfig("item", CONFIG.segments, features=(FeatureRule("shown"),)), "features"),
        (TableConfig("item", CONFIG.segments, row_map=Hashed(rows=9)), "row_map"),
    ],
)
def test_a_table_configured_otherwise_is_not_touched(
    tmp_path: Path, other: TableConfig, field: str
) -> None:
    saved(tmp_path)
    into = make_table(other)
    with pytest.raises(ConfigError, match=f"{field} is .* in the snapshot, .* in the table"):
        open_snapshot(tmp_path).tables["item"].restore(into=into)
    assert len(into) == 0


def test_rules_may_change_and_features_may_be_added_between_runs(tmp_path: Path) -> None:
    saved(tmp_path)
    features = (FeatureRule("default", threshold=5, ttl_s=9), FeatureRule("new"))
    into = make_table(TableConfig("item", CONFIG.segments, features=features))
    assert open_snapshot(tmp_path).tables["item"].restore(into=into) is into
    assert by_id(into.rows()) == by_id([planted(range(128))])


def test_only_an_empty_table_is_restored_into(tmp_path: Path) -> None:
    saved(tmp_path)
    with pytest.raises(InputError, match="must be empty"):
        open_snapshot(tmp_path).tables["item"].restore(into=table_of([99]))
