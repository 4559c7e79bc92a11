"""The source of a Kafka topic: partitions merged by time, offsets kept by the run."""

import heapq
import time
from collections import deque

from training.online.records import Chunk, Offset
from training.online.sources.intake import Intake
from training.online.sources.kafka_client import KafkaClient, Message

LOOK_EVERY_S = 60.0  # for partitions that were added
LOOK_AGAIN_S = 0.5  # while something is wrong
MAX_BUFFERED = 200_000  # messages, after which patience ends


class KafkaSource:
    """Gives the oldest of what the partitions have next, so that none runs ahead of the others.

    Within a partition the order is that of the topic. Across partitions it is that of the messages'
    time stamps, as long as each delivers what it has; at the ends, the order of arrival.

    Concurrency: one thread.
    """

    is_done = False

    def __init__(self, client: KafkaClient, intake: Intake, patience_s: float) -> None:
        self._client, self._intake, self._patience_s = client, intake, patience_s
        self._next: dict[int, int] = {}  # offset of each partition behind what was given
        self._buffers: dict[int, deque[Message]] = {}
        self._at_end = set[int]()
        self._looked = float("-inf")
        self._waits_since: float | None = None  # for a partition that does not deliver

    @property
    def malformed(self) -> int:
        """How many messages were passed over."""
        return self._intake.malformed

    @property
    def trouble(self) -> str | None:
        """Why nothing comes just now."""
        return self._client.trouble

    def read(self, max_records: int, wait_s: float) -> Chunk | None:
        """Gives what comes next; see `Source`. Servers that are away are waited for.

        Raises:
            SourceLostError: if records behind the last one are gone.
            SourceError: if the servers refuse.
        """
        deadline = time.monotonic() + wait_s
        while True:
            left = max(0.0, deadline - time.monotonic())
            self._look_for_partitions(left)
            if self._buffers:
                self._fill(max_records, left)
            messages = self._oldest(max_records)
            records = self._intake.records(message.value for message in messages)
            if len(records):
                return Chunk(records, {str(p): at for p, at in sorted(self._next.items())})
            if time.monotonic() >= deadline:
                return None

    def seek(self, offset: Offset | None) -> None:
        """Goes on behind an offset; partitions that it does not name, from their beginning."""
        self._next = {int(partition): at for partition, at in (offset or {}).items()}
        self._buffers.clear()
        self._at_end.clear()
        self._looked = float("-inf")

    def forget(self, offset: Offset) -> None:
        """Commits an offset."""
        self._client.commit({int(partition): at for partition, at in offset.items()})

    def lag(self) -> int | None:
        """How many messages wait, as far as the servers have told."""
        total = 0
        for partition in self._buffers:
            if (ends := self._client.ends(partition)) is None:
                return None
            total += ends[1] - max(ends[0], self._next.get(partition, 0))
        return total if self._buffers else None

    def close(self) -> None:
        """Leaves the servers."""
        self._client.close()

    def _look_for_partitions(self, wait_s: float) -> None:
        now = time.monotonic()
        if now - self._looked < (LOOK_AGAIN_S if self.trouble else LOOK_EVERY_S):
            return
        found = self._client.partitions(max(0.1, wait_s))
        self._looked = now if found or self._buffers else float("-inf")
        if found and set(found) != set(self._buffers):
            self._buffers = {partition: deque() for partition in found}
            self._at_end.clear()
            self._client.assign({partition: self._next.get(partition) for partition in found})

    def _fill(self, max_records: int, wait_s: float) -> None:
        """Takes what has come; waits only while there is nothing to give."""
        has_some = any(self._buffers.values())
        for message in self._client.poll(max_records, 0.0 if has_some and self._gives else wait_s):
            if message.offset is None:
                self._at_end.add(message.partition)
            else:
                self._buffers[message.partition].append(message)
                self._at_end.discard(message.partition)
        if all(buffer or partition in self._at_end for partition, buffer in self._buffers.items()):
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = time.monotonic()

    @property
    def _gives(self) -> bool:
        """Whether every partition has shown what it has next, or patience has ended."""
        return (
            self._waits_since is None
            or time.monotonic() - self._waits_since > self._patience_s
            or sum(map(len, self._buffers.values())) > MAX_BUFFERED
        )

    def _oldest(self, max_records: int) -> list[Message]:
        messages, gives = list[Message](), self._gives
        heads = [(buffer[0].time, p) for p, buffer in self._buffers.items() if buffer]
        heapq.heapify(heads)
        while gives and heads and len(messages) < max_records:
            _, partition = heapq.heappop(heads)
            buffer = self._buffers[partition]
            message = buffer.popleft()
            assert message.offset is not None
            self._next[partition] = message.offset + 1
            messages.append(message)
            if buffer:
                heapq.heappush(heads, (buffer[0].time, partition))
            elif partition not in self._at_end and self._waits_since is None:
                break
        return messages
