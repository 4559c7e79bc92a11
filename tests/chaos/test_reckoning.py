"""What is lost, doubled or changed is found: the zeros of the matrix are not those of the blind."""

import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.delta_log import open_log
from recsys_embed.errors import DamagedEntryError
from tests.chaos.follower import Version
from tests.chaos.ground import Ground
from tests.chaos.rows import Rows, differing, load_rows, save_rows
from tests.chaos.scene import scene, steps_back
from tests.chaos.tally import Tally
from tests.chaos.tampering import tamper
from tests.delta_log.places import LINEAGE, Place, content, fill

States = st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=3, max_size=3))


def rows(state: dict[int, bytes]) -> Rows:
    ids = sorted(state)
    data = np.frombuffer(b"".join(state[id] for id in ids), np.uint8).reshape(len(ids), 3)
    return Rows(np.array(ids, np.int64), data, 2)


@given(States, States, st.data())
def test_rows_that_differ_are_counted(
    one: dict[int, bytes], other: dict[int, bytes], data: st.DataObject
) -> None:
    for id in data.draw(st.sets(st.sampled_from(sorted(one)))) if one else ():
        other[id] = one[id]
    expected = sum(one.get(id) != other.get(id) for id in one.keys() | other.keys())
    assert differing({"item": rows(one)}, {"item": rows(other)}) == expected
    assert differing({"item": rows(one)}, {"item": rows(dict(one))}) == 0


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    tables = {"item": rows({5: b"abc", -1: b"def"}), "user": rows({})}
    save_rows(tmp_path / "rows.npz", tables)
    found = load_rows(tmp_path / "rows.npz")
    assert differing(found, tables) == 0
    assert found["item"].served().rows.tobytes() == b"deab"


def test_events_learned_too_seldom_and_too_often_do_not_make_up_for_each_other() -> None:
    tally, log, learned = Tally("", ""), Counter([1, 1, 2, 3]), Counter([1, 2, 2, 2, 4])
    for user in log | learned:
        tally.weigh(log[user], learned[user], f"events of user {user}")
    assert (tally.lost, tally.doubled, tally.is_well) == (2, 3, False)
    assert "1 events of user 3 not learned" in tally.why


def test_nothing_compared_is_not_well() -> None:
    assert not Tally("", "").is_well


def test_a_tampered_entry_is_damaged_and_no_other(place: Place) -> None:
    for kind in ("flipped", "cut short"):
        for seed in range(10):
            where = place.new()
            with closing(open_log(where)) as log:
                with log.open_writer(LINEAGE) as writer:
                    fill(writer, 3)
                tamper(where, Version(LINEAGE, 2), kind, random.Random(seed))
                entries = log.read(0, lineage=LINEAGE)
                assert next(entries).data == content(1)
                with pytest.raises(DamagedEntryError, match="entry 2 "):
                    next(entries)


def test_versions_that_go_back_are_counted() -> None:
    a, b = ([Version(name, number) for number in range(3)] for name in "ab")
    assert steps_back([]) == steps_back(a) == steps_back([*a, *b]) == steps_back([a[2], b[0]]) == 0
    assert steps_back([a[1], a[0], a[2]]) == steps_back([a[1], b[0], a[2], b[1]][:3]) == 1
    assert steps_back([a[2], a[0], a[1]]) == 1


@pytest.mark.parametrize(
    ("sabotage", "lost", "doubled"),
    [
        ("lose_rows", True, False),
        ("lose_tombstones", True, False),
        ("learn_twice", True, True),
        ("learn_too_few", True, False),
    ],
)
def test_sabotage_is_found(here: Ground, sabotage: str, lost: bool, doubled: bool) -> None:
    before, planted = f"tests.chaos.sabotage:{sabotage}", here.plant(3_000)
    with scene(here, planted, "", "directory", speed=2_000.0, before=before) as s:
        time.sleep(0.2)
        tally = s.finish()
        assert (tally.lost > 0, tally.doubled > 0) == (lost, doubled), tally.why
