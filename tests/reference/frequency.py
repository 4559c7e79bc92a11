"""Distances between occurrences, one id and one hash array at a time."""


class Distances:
    """The mean distance of each bucket's occurrences, the last ones weighing `rate`."""

    def __init__(self, rate: float) -> None:
        self.rate, self.time = rate, 0
        self.last: dict[int, int] = {}
        self.distance: dict[int, float] = {}
        self.seen: dict[int, int] = {}

    def update(self, bucket: int) -> None:
        self.time += 1
        n = self.seen[bucket] = self.seen.get(bucket, 0) + 1
        step, gone = max(self.rate, 1 / n), self.time - self.last.get(bucket, 0)
        old = self.distance.get(bucket, 0.0)
        self.distance[bucket] = (1 - step) * old + step * gone
        self.last[bucket] = self.time
