"""Ranking figures one user and one item at a time."""

import math


def ranking(
    scores: list[list[float]], relevant: list[set[int]], seen: list[set[int]], k: int
) -> tuple[float, float, float, int]:
    """Gives recall, capped recall, NDCG and the number of users; scores must not repeat."""
    recalls, capped, ndcgs = [], [], []
    for row, wanted, known in zip(scores, relevant, seen, strict=True):
        if not wanted:
            continue
        best = sorted((i for i in range(len(row)) if i not in known), key=lambda i: -row[i])[:k]
        hits = [item in wanted for item in best]
        recalls.append(sum(hits) / len(wanted))
        capped.append(sum(hits) / min(k, len(wanted)))
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
        ndcgs.append(gain / ideal)
    n = len(recalls)
    return tuple(sum(x) / n if n else 0.0 for x in (recalls, capped, ndcgs)) + (n,)
