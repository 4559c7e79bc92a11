"""Figures of recommendations, one user and one item at a time."""

import math


def segment_of(shown: list[int]) -> dict[int, str]:
    """Head: the items shown most, until a quarter of all is full; then torso, until three."""
    by_count = sorted(set(shown), key=lambda item: (-shown.count(item), item))
    places, before = {}, 0
    for item in by_count:
        share = before / len(shown)
        places[item] = "head" if share < 0.25 else "torso" if share < 0.75 else "tail"
        before += shown.count(item)
    return places


def found(best: list[list[int]], relevant: list[set[int]]) -> tuple[float, float, float, int]:
    """Gives recall, NDCG, hit rate and number of users; rows of one are those of the other."""
    recalls, ndcgs, hit = [], [], []
    for row, wanted in zip(best, relevant, strict=True):
        if not wanted:
            continue
        hits = [item in wanted for item in row]
        recalls.append(sum(hits) / len(wanted))
        gain = sum(1 / math.log2(place + 2) for place, is_hit in enumerate(hits) if is_hit)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(len(row), len(wanted))))
        ndcgs.append(gain / ideal)
        hit.append(any(hits))
    n = len(recalls)
    means = tuple(sum(x) / n if n else math.nan for x in (recalls, ndcgs, hit))
    return (*means, n)


def gini(counts: list[int]) -> float:
    """Half the mean difference of two items, over the mean."""
    if not sum(counts):
        return math.nan
    differences = sum(abs(a - b) for a in counts for b in counts) / len(counts) ** 2
    return differences / 2 / (sum(counts) / len(counts))
