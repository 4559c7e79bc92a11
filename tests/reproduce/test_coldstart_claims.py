"""What is claimed of figures that are given."""

from pathlib import Path

import pytest

from training.reproduce import coldstart_claims
from training.reproduce.coldstart_claims import best_semantic, claims_of
from training.reproduce.coldstart_picture import draw_segments
from training.reproduce.experiment import Outcome, Row, Rows

FIGURES = {
    # overall, never seen, validation; the deviation is 0.01, of hashed 0.001
    "a hashed": (0.60, 0.50, 0.60),
    "a unigram": (0.61, 0.55, 0.70),
    "a prefix": (0.59, 0.45, 0.69),
    "a bigram": (0.60, 0.45, 0.60),
    "a content": (0.50, 0.60, 0.90),
    "b hashed": (0.60, 0.50, 0.60),
    "b pieces": (0.59, 0.505, 0.70),
    "c hashed": (0.60, 0.50, 0.60),
    "c prefix": (0.62, 0.52, 0.70),
}


@pytest.fixture
def rows() -> Rows:
    return {
        case: Row(
            case,
            [
                Outcome(
                    {"auc": every, "unseen": unseen + off / (1 + 9 * ("hashed" in case))},
                    1,
                    1,
                    {"validation_auc": chosen},
                )
                for off in (-0.01, 0.0, 0.01)
            ],
            {},
        )
        for case, (every, unseen, chosen) in FIGURES.items()
    }


def test_validation_chooses_among_semantic_ids(rows: Rows) -> None:
    assert [row.case for name in "abc" if (row := best_semantic(rows, name))] == [
        "a unigram",
        "b pieces",
        "c prefix",
    ]
    assert best_semantic(rows, "d") is None


def test_better_means_by_more_than_a_deviation(rows: Rows) -> None:
    first, *others = claims_of(rows, ["a", "b", "c", "d"])
    assert first.is_met and first.obtained == 2
    assert {str(claim).split(":")[0] for claim in others} == {"met", "MISSED"}
    unseen = {c.text[0]: (c.is_met, c.obtained) for c in others if "never seen" in c.text}
    assert unseen == {
        "a": (True, pytest.approx(0.05)),
        "b": (False, pytest.approx(0.005)),
        "c": (True, pytest.approx(0.02)),
    }
    everything = {c.text[0]: c.is_met for c in others if ", all: " in c.text}
    assert everything == {"a": True, "b": False, "c": True}


def test_papers_are_held_to_their_word(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"prefix bigram": "few rows", "a hashed content": "never told"}
    monkeypatch.setattr(coldstart_claims, "REASONS", reasons)
    claims = [str(claim) for claim in claims_of(rows, ["a", "b"]) if "arXiv" in claim.text]
    assert len(claims) == 2
    assert claims[0].startswith("met: a, all, arXiv 2306.08121: rows of ids") and ">=" in claims[0]
    assert claims[1].startswith("MISSED: a, all, arXiv 2504.02137")
    assert claims[1].endswith("; few rows") and "never told" not in claims[0]


def test_every_figure_is_drawn(rows: Rows, tmp_path: Path) -> None:
    metrics = [("auc", "AUC"), ("unseen", "never seen")]
    draw_segments(rows, ["a", "b", "d"], metrics, tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 5000
