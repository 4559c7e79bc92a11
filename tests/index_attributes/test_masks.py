"""Masks are computed once for each slot, and given up when there are too many."""

import threading
from collections.abc import Callable

import numpy as np
import pytest

from recsys_embed.index.attributes.masks import Masks

Compute = Callable[[int, int], np.ndarray]


def odd(asked: list[tuple[int, int]]) -> Compute:
    """Gives a mask of the odd slots, noting what it was asked for."""

    def compute(start: int, stop: int) -> np.ndarray:
        asked.append((start, stop))
        return np.arange(start, stop) % 2 == 1

    return compute


def test_only_new_slots_are_computed() -> None:
    masks, asked = Masks(), []
    for size in (5, 3, 5, 9, 0, 9, 100):
        assert masks.get("odd", size, odd(asked)).tolist() == [s % 2 == 1 for s in range(size)]
    assert asked == [(0, 5), (5, 9), (9, 100)]


def test_a_mask_stays_what_it_was_when_slots_are_added() -> None:
    masks = Masks()
    early = masks.get("odd", 5, odd([]))
    masks.get("odd", 5000, odd([]))
    assert early.tolist() == [False, True, False, True, False]


def test_nobody_can_write_into_a_mask_that_others_read() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Masks().get("odd", 3, odd([]))[0] = True


def test_the_least_recently_asked_masks_go_first() -> None:
    masks, asked = Masks(most_bytes=250), []
    for name in ("a", "b", "a", "c", "a", "b"):
        masks.get(name, 100, odd(asked))
    assert len(asked) == 4  # a, b, c, and b again: "a" was asked in between and stayed


def test_a_mask_that_grows_counts_once() -> None:
    masks, asked = Masks(most_bytes=1200), []
    masks.get("small", 16, odd(asked))
    for size in range(16, 1000, 8):
        masks.get("growing", size, odd([]))
    masks.get("small", 16, odd(asked))
    assert asked == [(0, 16)]


def test_a_mask_beyond_the_bound_is_right_and_not_kept() -> None:
    masks, asked = Masks(most_bytes=10), []
    for _ in range(2):
        assert masks.get("odd", 100, odd(asked)).sum() == 50
    assert len(asked) == 2


def test_threads_that_miss_the_same_slots_agree() -> None:
    masks, wrong = Masks(most_bytes=4000), []

    def ask(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(400):
            name, size = int(random.integers(3)), int(random.integers(1, 2000))
            mask = masks.get(name, size, lambda a, b, n=name: np.arange(a, b) % (n + 2) == 0)
            if not np.array_equal(mask, np.arange(size) % (name + 2) == 0):
                wrong.append((name, size))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
