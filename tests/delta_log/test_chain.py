"""Entries that were changed, lost, doubled, mixed or reordered are refused by name."""

from collections.abc import Callable

import pytest

from recsys_embed.delta_log import Entry
from recsys_embed.delta_log.frames import HEADER_BYTES, Frame, dump_frame
from recsys_embed.errors import (
    DamagedEntryError,
    DeltaLogError,
    DuplicateEntryError,
    ForeignLogError,
    GapError,
)
from tests.delta_log.places import LINEAGE, OTHER, Place, Raw, content, expected, read_all

LAST = 6
Tamper = Callable[[list[Raw]], list[Raw]]


def framed(number: int, prev: int, data: bytes, lineage: str = LINEAGE) -> bytes:
    frame = Frame(lineage, number, prev, 1, 0.0).around(data)
    return dump_frame(frame) + data


def put(at: int, data: bytes) -> Tamper:
    """Puts other bytes in the place of entry `at`."""
    return lambda raw: [(n, data if n == at else found) for n, found in raw]


def cut(at: int, nbytes: int) -> Tamper:
    """Leaves the first bytes of entry `at`."""
    return lambda raw: [(n, found[:nbytes] if n == at else found) for n, found in raw]


def flip(at: int, byte: int, bit: int) -> Tamper:
    """Flips one bit of entry `at`."""

    def flipped(found: bytes) -> bytes:
        return found[:byte] + bytes([found[byte] ^ 1 << bit]) + found[byte + 1 :]

    return lambda raw: [(n, flipped(found) if n == at else found) for n, found in raw]


def drop(*gone: int) -> Tamper:
    return lambda raw: [(n, found) for n, found in raw if n not in gone]


def order(*numbers: int) -> Tamper:
    """Puts entries into places 1, 2, 3, ... in another order."""
    return lambda raw: [(n, dict(raw)[number]) for n, number in enumerate(numbers, 1)]


@pytest.mark.parametrize(
    ("tamper", "good", "error", "sentence"),
    [
        (drop(4), 3, GapError, "expected an entry that follows 3, found entry 5, which follows 4"),
        (drop(1, 2), 0, GapError, "expected an entry that follows 0, found entry 3"),
        (order(1, 2, 4, 3, 5, 6), 2, GapError, "found entry 4, which follows 3"),
        (order(2, 1, 3, 4, 5, 6), 0, GapError, "found entry 2, which follows 1"),
        (order(1, 2, 2, 3, 5, 6), 2, DuplicateEntryError, "beyond 2, found entry 2 again"),
        (order(1, 2, 3, 1, 5, 6), 3, DuplicateEntryError, "beyond 3, found entry 1 again"),
        (order(1, 2, 3, 3, 4, 6), 3, DuplicateEntryError, "found entry 3 again"),
        (put(3, framed(3, 2, b"x", OTHER)), 2, ForeignLogError, f"found one of {OTHER}"),
        (put(3, framed(4, 2, b"x")), 2, DamagedEntryError, "expected entry 3 in its place"),
        (put(3, b"RSEMLOG2" + bytes(90)), 2, DamagedEntryError, "with a newer recsys-embed"),
        (put(3, b"\x80\x04pickle" + bytes(90)), 2, DamagedEntryError, "expected the mark"),
        (cut(3, 0), 2, DamagedEntryError, "is truncated: expected a header of 80"),
        (cut(3, HEADER_BYTES - 1), 2, DamagedEntryError, "80 bytes, found 79"),
        (cut(3, HEADER_BYTES), 2, DamagedEntryError, "expected 50 bytes of data, found 0"),
        (cut(6, HEADER_BYTES + 49), 5, DamagedEntryError, "is not whole: .* found 49"),
        (
            lambda raw: [(n, found + b"x" * (n == 2)) for n, found in raw],
            1,
            DamagedEntryError,
            "expected 50 bytes of data, found 51",
        ),
    ],
)
def test_nothing_is_given_from_the_first_bad_entry_on(
    place: Place, tamper: Tamper, good: int, error: type[DeltaLogError], sentence: str
) -> None:
    log = place.filled(LAST)
    place.rewrite(log, tamper(place.raw(log)))
    found, reader = list[Entry](), log.read(0, lineage=LINEAGE)
    with pytest.raises(error, match=sentence):
        for entry in reader:
            found.append(entry)
    assert [(entry.number, entry.data) for entry in found] == expected(1, good)
    assert list(reader) == []
    with pytest.raises(error):
        read_all(log, good)


@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_any_byte_is_found(place: Place, bit: int) -> None:
    log = place.filled(2)
    raw = place.raw(log)
    for byte in range(0, HEADER_BYTES + 50, 1 if bit else 3):
        place.rewrite(log, flip(2, byte, bit)(raw))
        with pytest.raises((DamagedEntryError, GapError)):
            read_all(log)
    place.rewrite(log, raw)
    assert read_all(log) == expected(1, 2)


def test_the_end_of_a_log_that_was_cut_off_is_missed_by_readers_beyond(place: Place) -> None:
    log = place.filled(LAST)
    place.rewrite(log, drop(5, 6)(place.raw(log)))
    with pytest.raises(GapError, match=r"ends with( entry)? [46]"):
        read_all(log, 5)


def test_a_merged_entry_serves_every_reader_that_it_covers(place: Place) -> None:
    log = place.filled(LAST)
    merged = framed(4, 1, content(4))  # in place of 2, 3 and 4
    place.rewrite(log, put(4, merged)(drop(2, 3)(place.raw(log))))
    numbers = {after: [number for number, _ in read_all(log, after)] for after in range(6)}
    assert numbers == {
        0: [1, 4, 5, 6],
        1: [4, 5, 6],
        2: [4, 5, 6],
        3: [4, 5, 6],
        4: [5, 6],
        5: [6],
    }
