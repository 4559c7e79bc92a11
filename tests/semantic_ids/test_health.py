"""Health: figures of codes that were laid out by hand; pictures that are pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import InputError
from recsys_embed.nn.rq_vae import Epoch
from recsys_embed.semantic_ids import Codebooks, measure_health
from recsys_embed.semantic_ids.health import bucket_sizes, perplexity
from recsys_embed.semantic_ids.plots import draw_epochs, draw_health

GRID = Codebooks(np.array([[[0], [10], [20], [30]], [[0], [1], [2], [3]]], np.float32))


def test_the_figures_of_codes_laid_out_by_hand() -> None:
    # (0, 0) three times, (0, 1) twice, (1, 0) once; half a unit from its code.
    contents = np.array([[0], [0], [0], [1], [1], [10.5]])
    found = measure_health(GRID, contents)
    assert found.items == 6 and found.codes == 4
    assert found.perplexity[0] == pytest.approx(6 / 5 ** (5 / 6))
    assert found.perplexity[1] == pytest.approx(6 / (4 ** (4 / 6) * 2 ** (2 / 6)))
    assert found.dead_codes == (2, 2)
    assert found.unique_ids == 0.5 and found.largest_bucket == 3
    assert found.relative_error == pytest.approx(0.25 / (2 + 10.5**2))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any))
def test_perplexity_lies_between_one_and_the_codes_in_use(counts: list[int]) -> None:
    found = perplexity(counts)
    assert 1 - 1e-9 <= found <= np.count_nonzero(counts) + 1e-9
    assert perplexity([1] * len(counts)) == pytest.approx(len(counts))


def test_buckets_are_counted() -> None:
    assert sorted(bucket_sizes([[1, 2], [1, 2], [2, 1], [1, 2]])) == [1, 3]
    assert len(bucket_sizes(np.zeros((0, 2), int))) == 0


def test_no_items_have_no_health() -> None:
    with pytest.raises(InputError, match="1 item or more, got 0"):
        measure_health(GRID, np.zeros((0, 1)))


def test_figures_are_written_and_drawn(tmp_path: Path) -> None:
    contents = np.array([[0], [0], [31.0]])
    health = measure_health(GRID, contents)
    health.write(tmp_path / "health.json")
    assert json.loads((tmp_path / "health.json").read_text())["dead_codes"] == [2, 2]
    draw_health(tmp_path / "health.png", health, GRID.encode(contents))
    draw_epochs(tmp_path / "epochs.png", [Epoch(1, 0.5, 0.4, (3.0, 2.0), (0, 1), 0.9)])
    for name in ("health.png", "epochs.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
