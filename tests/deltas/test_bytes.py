"""What is encoded is decoded; whatever happens to the bytes between is refused in words."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import CollisionlessTable, DeltaError, InputError, TableConfig
from recsys_embed.deltas import CODECS, Delta, decode, encode, read_header
from recsys_embed.snapshot.headers import parse_layout
from tests.deltas.making import LINEAGE, delta_of, planted

DENSE = {
    "tower.0.weight": np.arange(6.0).reshape(2, 3),
    "step": np.array(7),
    "none": np.zeros((0, 2)),
}
WHOLE = {"state": True, "dense": DENSE, "extra": {"offset": 12, "at": [1.5, None]}, "token": 4}


def same(one: Delta, other: Delta) -> None:
    assert encode(one) == encode(other)
    for name, table in one.tables.items():
        theirs = other.tables[name]
        np.testing.assert_array_equal(table.ids, theirs.ids)
        np.testing.assert_array_equal(table.weights, theirs.weights)
        np.testing.assert_array_equal(table.tombstones, theirs.tombstones)
        np.testing.assert_array_equal(table.reasons, theirs.reasons)
        assert (table.prev_seq, table.seq, table.clock_s) == (
            theirs.prev_seq,
            theirs.seq,
            theirs.clock_s,
        )


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("options", [{}, WHOLE], ids=["serving", "training"])
def test_a_delta_comes_back_as_it_was(n, codec, options):
    if options and codec != "fp32":
        return
    delta = planted(n, number=9, codec=codec, **options)
    back = decode(encode(delta))
    same(delta, back)
    assert (back.lineage, back.number, back.prev, back.created_s) == (LINEAGE, 9, 8, 1.5)
    assert len(back.tables["item"].ids) == len(back.tables["item"].tombstones) == n
    if options:
        assert (back.extra, back.token) == (options["extra"], 4)
        assert back.dense.keys() == DENSE.keys()
        for name, array in DENSE.items():
            np.testing.assert_array_equal(back.dense[name], array, strict=True)
    assert (back.tables["item"].training is None) == (not options)


def test_a_delta_may_hold_nothing_but_its_number():
    back = decode(encode(Delta(LINEAGE, 5, 2, 1, 0.0, {})))
    assert (back.number, back.prev, dict(back.tables), dict(back.dense)) == (5, 2, {}, {})


def test_names_of_tables_and_arrays_cannot_be_confused():
    tables = {}
    for name in ("dense", "item/ids", "item", "__pad_x", "header", "tables/item"):
        table = CollisionlessTable(TableConfig.of(name, 2))
        table.track_changes()
        table.assign(np.arange(len(name)), np.full((len(name), 2), len(name), np.float32))
        tables[name] = table
    changes = {name: table.changes(0) for name, table in tables.items()}
    dense = {"item/ids": np.ones(3), "header": np.ones(2), "__pad_y": np.ones(1)}
    back = decode(encode(Delta.of(changes, lineage=LINEAGE, number=1, dense=dense)))
    assert {n: len(part.ids) for n, part in back.tables.items()} == {n: len(n) for n in tables}
    assert back.dense.keys() == dense.keys()


def test_arrays_are_views_of_the_bytes():
    data = bytearray(encode(planted(3)))
    weights = decode(data).tables["item"].weights
    start = data.find(weights.tobytes())
    data[start : start + 4] = np.float32(99).tobytes()
    assert weights[0, 0] == 99


def test_the_header_is_read_alone():
    header = read_header(encode(planted(5, number=3)))
    assert (header.number, header.tables["item"].rows, header.tables["item"].codec) == (
        3,
        5,
        "fp32",
    )


def test_bytes_a_row_stay_near_the_payload():
    delta = encode(planted(10_000, dim=64))
    assert len(delta) / (10_000 * (64 * 4 + 8) + 10_000 * 9) <= 1.01
    rows_only = len(delta) - 10_000 * 9
    assert rows_only / (10_000 * 64 * 4) <= 1.25


WHOLE_BYTES = encode(planted(4, **WHOLE))
PLACES = [0, 3, 8, 200, len(WHOLE_BYTES) // 2, len(WHOLE_BYTES) - 1]


@given(data=st.data())
def test_every_flipped_bit_is_found(data):
    at = data.draw(st.sampled_from(PLACES) | st.integers(0, len(WHOLE_BYTES) - 1))
    damaged = bytearray(WHOLE_BYTES)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DeltaError):
        decode(damaged)


def test_a_flipped_bit_of_every_byte_is_found():
    for at in range(len(WHOLE_BYTES)):
        damaged = bytearray(WHOLE_BYTES)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(DeltaError):
            decode(damaged)


@given(length=st.integers(0, len(WHOLE_BYTES) - 1), more=st.binary(max_size=20))
def test_every_truncation_and_every_other_end_is_found(length, more):
    with pytest.raises(DeltaError):
        decode(WHOLE_BYTES[:length])
    if more:
        with pytest.raises(DeltaError):
            decode(WHOLE_BYTES + more)


@given(data=st.binary(max_size=200))
def test_what_is_no_delta_is_refused(data):
    with pytest.raises(DeltaError, match="expected"):
        decode(data)


def test_damage_is_named_with_what_was_expected_and_found():
    names = parse_layout(WHOLE_BYTES, len(WHOLE_BYTES)).tensors
    for name, tensor in names.items():
        if not tensor.nbytes:
            continue
        damaged = bytearray(WHOLE_BYTES)
        damaged[tensor.start] ^= 128
        words = {True: "zeros", False: "checksum"}[name.startswith("__pad_")]
        quoted = "header" if name == "header" else re.escape(repr(name))
        with pytest.raises(DeltaError, match=rf"{quoted}.*expected.*{words}|expected a header"):
            decode(damaged)


def signed(data, edit):
    """The bytes with another header of the same length, signed anew: what another writer does."""
    tensor = parse_layout(data, len(data)).tensors["header"]
    start, end = tensor.start, tensor.start + tensor.nbytes
    values = json.loads(data[start:end])
    edit(values)
    values["checksum"] = "0" * 16
    text = json.dumps(values).encode()
    assert len(text) == tensor.nbytes, "edit without changing the length"
    text = text.replace(b"0" * 16, xxhash.xxh64_hexdigest(text).encode(), 1)
    return data[:start] + text + data[end:]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda v: v.update(version=2), "reads version 1 of deltas, found version 2"),
        (lambda v: v.update(format="recsys-embed-dalta"), "expected the format"),
        (lambda v: v.update(lineagf=v.pop("lineage")), "lineagf"),
        (lambda v: v["tables"]["item"].update(dim=9), r"weights'.*expected float32 \[4, 9\]"),
        (
            lambda v: v["tables"]["item"].update(rows=5),
            r"ids'.*expected int64 \[5\], found int64 \[4\]",
        ),
        (
            lambda v: v["tables"]["item"].update(codec="fp99"),
            "expected a codec of fp32, fp16, int8",
        ),
        (
            lambda v: v["tables"]["item"].update(codec="fp16"),
            r"expected float16 \[4, 3\], found float32",
        ),
        (lambda v: v["tables"]["item"].update(codec="int8"), "expected the tensors .*scales"),
        (lambda v: v["tables"].update(itfm=v["tables"].pop("item")), "expected the tensors"),
        (lambda v: v.update(number=0, token=4), "expected 0 <= prev < number"),
        (lambda v: v["tables"]["item"].update(prev_seq=3), "prev_seq <= seq"),
        (lambda v: v["checksums"].update({"dense/stfp": v["checksums"].pop("dense/step")}), "stfp"),
        (lambda v: v.update(layout="0" * 16), "layout: expected the checksum 0{16}, found"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(edit, words):
    assert signed(WHOLE_BYTES, lambda _: None) == WHOLE_BYTES
    with pytest.raises(DeltaError, match=words):
        decode(signed(WHOLE_BYTES, edit))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codec": "fp8"}, "no codec 'fp8'; did you mean 'fp"),
        ({"codec": "fp16", "state": True}, "needs fp32"),
        ({"number": 0}, "number 0"),
    ],
)
def test_a_delta_that_cannot_be_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        planted(1, **options)


@pytest.mark.parametrize("extra", [{"x": math.nan}, {"x": (1, 2)}, {1: 2}, {"x": np.int64(1)}])
def test_extra_that_json_cannot_hold_is_refused(extra):
    with pytest.raises(InputError, match="plain JSON"):
        encode(replace(planted(1), extra=extra))


def test_arrays_that_do_not_fit_are_refused():
    delta = planted(2)
    part = replace(delta.tables["item"], tombstones=np.arange(2, dtype=np.int32))
    with pytest.raises(InputError, match=r"tables/item/tombstones .* int64 .* got int32"):
        encode(replace(delta, tables={"item": part}))
    with pytest.raises(InputError, match="complex"):
        encode(replace(delta, dense={"x": np.ones(2, complex)}))


def test_state_needs_the_admission_state():
    table = CollisionlessTable(TableConfig.of("item", 2))
    table.track_changes()
    with table.changes(0) as changes, pytest.raises(InputError, match="admission=True"):
        Delta.of({"item": changes}, lineage=LINEAGE, number=1, state=True)
    assert delta_of(table, 0, state=True).tables["item"].training is not None
