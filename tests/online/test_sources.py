"""What every source promises: each record once and in order, from wherever it is told to go on."""

import json

import numpy as np
import polars as pl
import pytest

from tests.online.places import Place, read_all
from training.online.sources import MalformedRecordWarning


def same(frame: pl.DataFrame, expected: pl.DataFrame) -> bool:
    return frame.equals(expected.cast(frame.schema))


@pytest.mark.parametrize("at_once", [1, 50, 10_000])
def test_every_record_comes_once_and_in_order(place: Place, at_once: int) -> None:
    place.fill()
    source = place.open()
    assert same(read_all(source, len(place.records), at_once), place.records)
    assert source.read(at_once, 0.0) is None
    assert source.is_done != place.is_stream
    assert source.lag() in (0, None) and source.malformed == 0 and source.trouble is None
    source.close()


def test_reading_goes_on_behind_any_offset_that_was_given(
    place: Place, rng: np.random.Generator
) -> None:
    """As a model that is a list and a number says, through reads, seeks, forgets and restarts."""
    place.fill()
    source, at = place.open(), 0
    offsets = {0: None}
    source.seek(None)
    for action in rng.choice(["read", "read", "read", "seek", "forget", "restart"], 150):
        if action == "read":
            size = int(rng.integers(1, 90))
            chunk = source.read(size, 0.2 if at < len(place.records) else 0.0)
            expected = place.records[at : at + size]
            assert (chunk is None) == expected.is_empty()
            if chunk is not None:
                assert same(chunk.records, expected[: len(chunk)])
                at += len(chunk)
                offsets[at] = json.loads(json.dumps(chunk.offset))
        elif action == "forget" and offsets[at] is not None:
            source.forget(offsets[at])
        else:
            if action == "restart":
                source.close()
                source = place.open()
            at = int(rng.choice(list(offsets)))
            source.seek(offsets[at])
    assert len(offsets) > 20
    source.close()


def test_what_comes_later_is_read_when_it_comes(stream: Place) -> None:
    source = stream.open()
    source.seek(None)
    assert source.read(10, 0.05) is None and not source.is_done
    stream.fill(30)
    first = read_all(source, 30)
    stream.fill(5)
    second = source.read(100, 5.0)
    assert second is not None
    stream.fill()
    rest = read_all(source, len(stream.records) - 30 - len(second))
    assert same(pl.concat([first, second.records, rest]), stream.records)
    source.close()


def test_what_is_no_record_is_counted_and_said_once(stream: Place) -> None:
    stream.fill(20)
    stream.send([b"{", None])
    stream.fill(20)
    stream.send([b'{"type": "event"}'])
    stream.fill(10)
    source = stream.open()
    with pytest.warns(MalformedRecordWarning, match="passed over what is no record") as warned:
        assert same(read_all(source, 50, at_once=7), stream.records[:50])
    assert len(warned) == 1 and source.malformed == 3
    stream.send([b"["] * 20)
    while source.malformed < 23:  # they do not keep a read from returning in time
        assert source.read(7, 0.02) is None
    stream.fill(1)
    assert same(read_all(source, 1), stream.records[50:51])
    source.close()
