"""What Monolith says of fresh rows and stale dense layers, as numbers that decide it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, product

from training.reproduce.experiment import Claim, Rows

UNHARMFUL = 1e-3  # AUC; the paper gives no number


def claims_of_rows(
    rows: Rows, streams: Sequence[str], intervals: Sequence[str], dense: Sequence[str]
) -> list[Claim]:
    """Claims that every copy is better than batch training, and shorter intervals than longer ones.

    arXiv 2209.07663, §3.2.2 (1).

    Args:
        rows: by "STREAM INTERVAL,DENSE".
        streams, dense: their names.
        intervals: their names, the longest first.
    """
    claims = []
    for stream, network in product(streams, dense):
        names = [f"{stream} {interval},{network}" for interval in intervals]
        own = [rows[name] for name in names if name in rows]
        for row in own:
            text = f"{row.case}: AUC above that of batch training"
            claims.append(Claim(text, row.mean("gain"), least=0.0))
        for longer, shorter in pairwise(own):
            gain = shorter.mean("auc") - longer.mean("auc")
            text = f"{shorter.case}: AUC above that of {longer.case.split()[1]}"
            claims.append(Claim(text, gain, least=0.0))
    return claims


def claims_of_dense(
    rows: Rows, streams: Sequence[str], intervals: Sequence[str], dense: Mapping[str, int]
) -> list[Claim]:
    """Claims that dense layers may be older than rows without a loss: §2.2.3.

    Args:
        rows, streams, intervals: as above.
        dense: seconds between synchronizations by name; 0: as often as the rows.
    """
    claims = []
    often, *rarely = sorted(dense, key=lambda name: dense[name])
    for stream, interval, network in (
        (s, i, d) for s in streams for i in intervals for d in rarely
    ):
        fresh, stale = (rows.get(f"{stream} {interval},{name}") for name in (often, network))
        if fresh and stale:
            loss = fresh.mean("auc") - stale.mean("auc")
            claims.append(Claim(f"{stale.case}: AUC below {often}", loss, most=UNHARMFUL))
    return claims
