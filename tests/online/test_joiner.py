"""A joiner gives what a slow one gives, however the records are cut, spilled or restored."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError, InputError, SpillError
from tests.reference.joining import Event, Record, join
from training.online.joining import Join, Joiner, payload
from training.online.records import OF_RECORD

LABELS = {"impression": None, "outcome": 1.0, "event": 0.5}


@st.composite
def records_of(draw: st.DrawFn) -> list[Record]:
    """Few keys and times, so that records meet, repeat, come late and in disorder."""
    types = st.sampled_from(["impression", "impression", "outcome", "outcome", "event"])
    lines = st.tuples(types, st.integers(0, 3), st.integers(0, 12), st.booleans())
    drawn = draw(st.lists(lines, max_size=40))
    if draw(st.booleans()):
        drawn.sort(key=lambda line: line[2])
    return [
        Record(type, f"k{key}", float(time), LABELS[type] and float(clicked))
        for type, key, time, clicked in drawn
    ]


def frame_of(records: list[Record], first: int = 0) -> pl.DataFrame:
    """The records as a chunk holds them; a column of each kind says which record it is of."""
    frame = pl.DataFrame(records, schema=OF_RECORD, orient="row")
    numbers = pl.int_range(first, first + len(records), eager=True)
    columns = {
        "number": numbers,
        "name": numbers.cast(pl.String) + " — a text that is too long to be held in a view",
        "list": pl.Series([[n] * (n % 3) for n in numbers], dtype=pl.List(pl.Int64)),
    }
    return frame.with_columns(
        pl.when(pl.col("type") != "outcome").then(column).alias(name)
        for name, column in columns.items()
    )


def expected(records: list[Record], events: list[Event]) -> pl.DataFrame:
    """The frame of events that a slow joiner names."""
    frame = frame_of(records)[[event.number for event in events]]
    label = pl.Series("label", [event.label for event in events], dtype=pl.Float32)
    return frame.select("key", "time", label, "number", "name", "list")


@settings(max_examples=120)
@given(
    records=records_of(),
    window_s=st.integers(0, 6),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    memory_mib=st.sampled_from([0, 256]),
    block_rows=st.sampled_from([3, 1 << 16]),
    restored=st.booleans(),
)
def test_events_are_those_of_a_slow_joiner_however_records_are_cut(
    records: list[Record],
    window_s: float,
    cuts: list[int],
    memory_mib: int,
    block_rows: int,
    restored: bool,
) -> None:
    resolved, last, counts = join(records, window_s)
    bounds = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    config = Join(window_s, memory_mib)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "BLOCK_ROWS", block_rows)
        joiner = Joiner(config, Path(folder))
        for number, (start, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
            if restored:
                state = joiner.state()
                joiner = Joiner(config, Path(folder, str(number)))
                joiner.restore(state)
            events = joiner.add(frame_of(records[start:end], start))
            wanted = [event for events in resolved[start:end] for event in events]
            assert events.equals(expected(records, wanted))
            assert (joiner.spilled_bytes > 0) == (memory_mib == 0 and joiner.waiting > 0)
        assert joiner.finish().equals(expected(records, last))
        assert asdict(joiner.counts) == counts
        assert joiner.waiting == joiner.spilled_bytes == 0
        assert not list(Path(folder).rglob("*.arrow")) or restored


def test_what_waits_beyond_the_memory_lies_on_disk_until_it_is_resolved(tmp_path: Path) -> None:
    n = 100_000
    frame = pl.DataFrame(
        {
            "type": ["impression"] * n,
            "key": pl.Series(range(n)).cast(pl.String),
            "time": np.arange(n, dtype=np.float64),
            "label": pl.Series([None] * n, dtype=pl.Float32),
            "words": [["one", "another one that is longer"]] * n,
        }
    )
    joiner = Joiner(Join(window_s=n, memory_mib=1), tmp_path)
    clicked = np.random.default_rng(1).permutation(n)
    joined = []
    for start in range(0, n, 3_000):
        assert joiner.add(frame[start : start + 3_000]).is_empty()
        now = clicked[(clicked < start) & (clicked % 34 == start // 3_000)]
        joined.append(joiner.add(outcomes_of(frame[now])))
        assert joined[-1].equals(events_of(frame[now], 1.0))
    assert joiner.spilled_bytes > frame.estimated_size() / 2
    assert 0 < len(list(tmp_path.iterdir())) < 20
    left = frame.join(pl.concat(joined), on="key", how="anti", maintain_order="left")
    assert 0 < len(left) < n
    assert joiner.finish().equals(events_of(left, 0.0))
    assert joiner.spilled_bytes == 0 and not list(tmp_path.iterdir())


def outcomes_of(shown: pl.DataFrame) -> pl.DataFrame:
    return shown.with_columns(
        type=pl.lit("outcome"),
        label=pl.lit(1.0, pl.Float32),
        words=pl.lit(None, pl.List(pl.String)),
    )


def events_of(shown: pl.DataFrame, label: float) -> pl.DataFrame:
    return shown.select("key", "time", pl.lit(label, pl.Float32).alias("label"), "words")


def test_a_key_used_again_waits_its_own_time_and_a_restored_watermark_counts(
    tmp_path: Path,
) -> None:
    records = [
        Record("outcome", "a", 0.0, 1.0),
        Record("impression", "a", 1.0, None),
        Record("outcome", "a", 4.0, 1.0),
        Record("event", "b", 8.0, 0.0),  # ends the wait of an outcome of time 0, not of time 4
        Record("impression", "a", 8.0, None),
        Record("impression", "c", 2.0, None),  # too late to wait
    ]
    joiner = Joiner(Join(5), tmp_path / "first")
    assert joiner.add(frame_of(records[:5]))["label"].to_list() == [1, 0, 1]
    restored = Joiner(Join(5), tmp_path / "second")
    restored.restore(joiner.state())
    assert restored.add(frame_of(records[5:], 5))["key"].to_list() == ["c"]
    assert restored.watermark == 8 and restored.counts.missing == 1


def test_a_new_joiner_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    killed = Joiner(Join(5, memory_mib=0), tmp_path)
    killed.add(frame_of([Record("impression", "a", 0.0, None)]))
    (tmp_path / "other").touch()
    Joiner(Join(5), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_a_joiner_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="window_s >= 0"):
        Join(-1)
    (tmp_path / "file").touch()
    joiner = Joiner(Join(5, memory_mib=0), tmp_path / "file")
    with pytest.raises(SpillError, match="make room there"):
        joiner.add(frame_of([Record("impression", "a", 0.0, None)]))
    joiner = Joiner(Join(5), tmp_path)
    frame = frame_of([Record("impression", "a", 0.0, None)])
    joiner.add(frame)
    with pytest.raises(InputError, match="expected records of the columns"):
        joiner.add(frame.drop("name"))


def test_a_joiner_that_saw_nothing_gives_nothing(tmp_path: Path) -> None:
    joiner = Joiner(Join(5), tmp_path)
    other = Joiner(Join(5), tmp_path)
    other.restore(joiner.state())
    assert other.finish().is_empty() and other.waiting == 0
    assert len(other.add(frame_of([Record("event", "a", 0.0, 1.0)]))) == 1
