"""How fresh what is served is: from an event to its answer, and what that costs on both sides.

`python -m benchmarks.freshness [--quick] [--json FILE]`: real processes on loopback; an entry a
second; 2 M rows × 64 in training, 1 M × 64 in serving.
"""

from benchmarks import event_to_served, while_applying, while_publishing
from benchmarks.measure import Result, parser, report


def main() -> None:
    """Measures, prints, and writes the figures."""
    given = parser(__doc__ or "").parse_args()
    results = quick() if given.quick else full()
    report("benchmarks.freshness", results, {"quick": given.quick}, given.json)


def full() -> list[Result]:
    """The figures as they are quoted."""
    return [
        *event_to_served.measure(seconds=30),
        *while_publishing.publishing(max_events=500_000, rounds=5),
        *while_publishing.saving(num_rows=2_000_000, dim=64, max_events=1_000_000, every_s=3.0),
        *while_applying.applying(num_rows=1_000_000, rounds=5),
        *while_applying.lookups(num_rows=1_000_000, changed=50_000, rounds=4, seconds=8),
    ]


def quick() -> list[Result]:
    """All of it in a minute, on less."""
    return [
        *event_to_served.measure(seconds=4),
        *while_publishing.publishing(max_events=100_000, rounds=1),
        *while_publishing.saving(num_rows=300_000, dim=64, max_events=300_000, every_s=0.3),
        *while_applying.applying(num_rows=200_000, rounds=3),
        *while_applying.lookups(num_rows=200_000, changed=20_000, rounds=1, seconds=4),
    ]


if __name__ == "__main__":
    main()
