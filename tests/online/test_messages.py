"""Records go through JSON unchanged, and what is no record is named and passed over."""

import json
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_embed.errors import ConfigError
from tests.online.logs import config_of, replay_of, write_log
from training.batches import make_batch
from training.events import load_events
from training.online.records import events_of
from training.online.sources.messages import Messages, encode, types_of

COLUMNS = {"item": "int", "name": "str", "price": "float", "new": "bool", "tags": "list[str]"}
GOOD = {"type": "event", "key": "a", "time": 5, "label": 1, "item": 7, "name": "ü", "price": 1}


@pytest.mark.parametrize("outcome_after_s", [None, 3.0])
def test_records_of_a_replay_go_through_json_unchanged(
    tmp_path: Path, outcome_after_s: float | None
) -> None:
    write_log(tmp_path / "log.parquet")
    config = config_of(tmp_path / "log.parquet")
    source = replay_of(config, outcome_after_s=outcome_after_s).open(config.features, config.dense)
    chunk = source.read(10_000, 0.0)
    messages = encode(chunk.records)
    came, complaints = Messages(types_of(chunk.records)).records(messages)
    assert complaints == []
    assert came.equals(chunk.records.cast(came.schema))
    assert all(b"item" not in m and b"label" in m for m in messages if b'"outcome"' in m)
    if outcome_after_s is None:
        events = load_events(config.data.read(), config.events, config.features, config.dense)
        made = events_of(came, config.features, config.dense)
        everything, names = np.arange(len(events)), list(config.features)
        batch, expected = (make_batch(e, everything, names) for e in (made, events))
        assert np.array_equal(batch.dense.numpy(), expected.dense.numpy())
        assert np.array_equal(batch.bags.values().numpy(), expected.bags.values().numpy())
        assert np.array_equal(batch.bags.weights().numpy(), expected.bags.weights().numpy())


def test_columns_that_lack_are_null_and_others_are_left_out() -> None:
    frame, complaints = Messages(COLUMNS).records([orjson.dumps({**GOOD, "other": [1, {}]})])
    assert complaints == []
    assert frame.row(0) == ("event", "a", 5.0, 1.0, 7, "ü", 1.0, None, None)
    nothing, _ = Messages(COLUMNS).records([])
    assert nothing.schema == frame.schema


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "click"}, "expected type impression, outcome or event, got 'click'"),
        ({"type": ["event"]}, "expected type impression"),
        ({"key": 5}, "expected a key that is a string, got 5"),
        ({"key": None}, "expected a key that is a string, got None"),
        ({"time": "5"}, "expected a time in seconds since the epoch, got '5'"),
        ({"time": 1_320_192_000_000}, "expected a time in seconds since the epoch, got 132"),
        ({"time": -1}, "expected a time"),
        ({"label": None}, "expected a label from 0 to 1, got None"),
        ({"label": 2}, "expected a label from 0 to 1, got 2"),
        ({"type": "outcome", "label": "1"}, "expected a label from 0 to 1, got '1'"),
        ({"item": 1.5}, "expected item of type int, got 1.5"),
        ({"item": True}, "expected item of type int, got True"),
        ({"item": 2**63}, "expected item of type int, got 9223372036854775808"),
        ({"name": 1}, "expected name of type str, got 1"),
        ({"price": "1"}, "expected price of type float, got '1'"),
        ({"new": 1}, "expected new of type bool, got 1"),
        ({"tags": "a"}, r"expected tags of type list\[str\], got 'a'"),
        ({"tags": ["a", 1]}, r"expected tags of type list\[str\], got \['a', 1\]"),
    ],
)
def test_a_message_that_is_no_record_is_named_and_passed_over(
    change: dict[str, object], complaint: str
) -> None:
    good = orjson.dumps(GOOD)
    frame, complaints = Messages(COLUMNS).records([good, orjson.dumps({**GOOD, **change}), good])
    assert frame["key"].to_list() == ["a", "a"]
    assert len(complaints) == 1
    with pytest.raises(ValueError, match=complaint):
        raise ValueError(complaints[0])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**65) | st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)]),
    st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 1e300, 2.0**32]),
    st.text(max_size=3) | st.sampled_from(["event", "ü", "\\ud800", "\n", "\x00"]),
    st.lists(st.none() | st.text(max_size=2), max_size=3),
    st.lists(st.integers(-1, 1) | st.booleans(), max_size=2),
    st.just({"a": 1}),
)


@settings(max_examples=300)
@given(
    changes=st.lists(
        st.dictionaries(st.sampled_from([*GOOD, "new", "tags", "other"]), VALUES, max_size=2),
        max_size=4,
    ),
    kind=st.sampled_from(["event", "impression", "outcome"]),
)
def test_messages_together_give_what_each_gives_alone(
    changes: list[dict[str, object]], kind: str
) -> None:
    records = [{**GOOD, "type": kind, "tags": ["a", None], **change} for change in changes]
    messages = [json.dumps(record).encode() for record in records]
    alone = [Messages(COLUMNS).records([message]) for message in messages]
    frame, complaints = Messages(COLUMNS).records(messages)
    assert frame.equals(pl.concat([Messages(COLUMNS).records([])[0], *(f for f, _ in alone)]))
    assert sorted(complaints) == sorted(said for _, of_one in alone for said in of_one)
    assert len(frame) + len(complaints) == len(messages)


@pytest.mark.parametrize(
    "message",
    [None, b"", b"{", b"[1]", b"null", b"\xff\x00", b'{"type": "event", "time": NaN}', b"{}" * 500],
)
def test_what_is_not_even_json_is_passed_over(message: bytes | None) -> None:
    frame, complaints = Messages(COLUMNS).records([message, orjson.dumps(GOOD), message])
    assert len(frame) == 1 and len(complaints) == 2
    assert all(len(complaint) < 300 for complaint in complaints)


def test_an_unsigned_id_becomes_the_signed_one_that_training_uses() -> None:
    frame = pl.DataFrame(
        {"type": ["event"], "key": ["a"], "time": [0.0], "label": [1.0], "id": [2**64 - 1]},
        schema_overrides={"id": pl.UInt64},
    )
    came, _ = Messages(types_of(frame)).records(encode(frame))
    assert came["id"].to_list() == [-1]


def test_a_date_has_no_place_in_a_message() -> None:
    frame = pl.DataFrame({"when": ["2011-11-02"]}).select(pl.col("when").str.to_date())
    with pytest.raises(ConfigError, match="'when' holds Date, which JSON does not"):
        types_of(frame)
