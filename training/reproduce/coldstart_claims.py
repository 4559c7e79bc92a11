"""What is claimed of semantic IDs for new items, and what came of it."""

from collections.abc import Sequence

import numpy as np

from training.reproduce.experiment import Claim, Row, Rows

HASHED, CONTENT = "hashed", "content"
SEMANTIC = ("unigram", "bigram", "prefix", "pieces")
PAPERS = (
    ("hashed", "content", "arXiv 2306.08121: rows of ids are better than contents alone"),
    ("pieces", "bigram", "arXiv 2306.08121: pieces are better than bigrams"),
    ("prefix", "bigram", "arXiv 2504.02137: prefixes are better than bigrams"),
)


REASONS = {
    "hashed content": (
        "several items share each hashed row, and an item has 11 to 133 events of training where"
        " the paper has months of video views; a row an item (full) is better than contents on"
        " movielens-1m alone"
    ),
    "online-retail prefix bigram": (
        "256 codes validated best for prefixes, whose 65,536 pairs meet by chance on 1,024 rows;"
        " bigrams of 16 codes have 256 values for each pair of levels"
    ),
}


def claims_of(rows: Rows, sets: Sequence[str]) -> list[Claim]:
    """Gives the project's claims, then those of the papers, for the data sets that were run.

    Args:
        rows: cases "SET METHOD".
        sets: names of data sets.
    """
    ours = [claim for name in sets for claim in _of_set(rows, name)]
    better = [claim.is_met for claim in ours if "never seen" in claim.text]
    text = "data sets where semantic IDs are better on items never seen, beyond a deviation"
    papers = [claim for name in sets for claim in _of_papers(rows, name)]
    return [Claim(text, sum(better), least=2), *ours, *papers]


def best_semantic(rows: Rows, name: str) -> Row | None:
    """Gives the semantic IDs that were best on the validation part of a data set."""
    found = [row for method in SEMANTIC if (row := rows.get(f"{name} {method}"))]
    return max(found, key=_validation, default=None)


def _of_set(rows: Rows, name: str) -> list[Claim]:
    ours, theirs = best_semantic(rows, name), rows.get(f"{name} {HASHED}")
    if ours is None or theirs is None:
        return []
    method, why = ours.case.split()[1], REASONS.get(f"{name} semantic {HASHED}", "")
    what = f"AUC of {method} (best on validation) less that of hashed"
    return [
        Claim(
            f"{name}, items never seen: {what}, beyond a deviation",
            ours.mean("unseen") - theirs.mean("unseen"),
            least=max(float(np.nan_to_num(row.std("unseen"))) for row in (ours, theirs)),
            why=why,
        ),
        Claim(f"{name}, all: {what}", ours.mean("auc") - theirs.mean("auc"), least=0.0, why=why),
    ]


def _of_papers(rows: Rows, name: str) -> list[Claim]:
    claims = []
    for better, worse, text in PAPERS:
        first, second = rows.get(f"{name} {better}"), rows.get(f"{name} {worse}")
        if first and second:
            gain = first.mean("auc") - second.mean("auc")
            pair = f"{better} {worse}"
            why = REASONS.get(f"{name} {pair}", REASONS.get(pair, ""))
            claims.append(Claim(f"{name}, all, {text}", gain, least=0.0, why=why))
    return claims


def _validation(row: Row) -> float:
    return float(np.mean([outcome.chosen["validation_auc"] for outcome in row.outcomes]))
