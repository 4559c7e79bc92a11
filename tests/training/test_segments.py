"""Segments by a count of impressions, item by item."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.segments import SEGMENTS, segments

ITEMS = st.lists(st.integers(0, 9), max_size=40)


@given(ITEMS, ITEMS)
def test_segments_divide_impressions(asked: list[int], shown: list[int]) -> None:
    found = segments(np.array(asked, np.int64), np.array(shown, np.int64))
    by_count = sorted(set(shown), key=lambda item: (-shown.count(item), item))
    expected = {}
    for place, item in enumerate(by_count):
        share = sum(shown.count(other) for other in by_count[:place]) / len(shown)
        expected[item] = "head" if share < 0.25 else "torso" if share < 0.75 else "tail"
    assert list(found) == list(SEGMENTS)
    for name, mask in found.items():
        assert mask.tolist() == [expected.get(item, "unseen") == name for item in asked]
