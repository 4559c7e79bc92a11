"""Impressions and outcomes, joined one by one with nothing but lists."""

from dataclasses import dataclass
from typing import NamedTuple


class Record(NamedTuple):
    type: str
    key: str
    time: float
    label: float | None


class Event(NamedTuple):
    number: int  # of the record whose columns it has
    label: float


@dataclass
class Shown:
    number: int
    key: str
    time: float


def join(records: list[Record], window_s: float) -> tuple[list[list[Event]], list[Event], dict]:
    """Gives the events that each record resolves, those of the end, and the counts at the end."""
    shown, outcomes = list[Shown](), list[Record]()
    counts = dict.fromkeys(["events", "joined", "missing", "late", "repeated"], 0)
    given, watermark = list[list[Event]](), float("-inf")
    for number, record in enumerate(records):
        watermark = max(watermark, record.time)
        events = _given_up(shown, outcomes, watermark, window_s, counts)
        shown = [s for s in shown if not s.time + window_s < watermark]
        outcomes = [o for o in outcomes if not o.time + window_s < watermark]
        waiting = [s for s in shown if s.key == record.key]
        outcome = [o for o in outcomes if o.key == record.key]
        is_over = record.time + window_s < watermark
        if record.type == "event":
            counts["events"] += 1
            events.append(Event(number, record.label))
        elif record.type == "impression" and waiting:
            counts["repeated"] += 1
        elif record.type == "impression" and outcome and outcome[0].time <= record.time + window_s:
            counts["joined"] += 1
            outcomes.remove(outcome[0])
            events.append(Event(number, outcome[0].label))
        elif record.type == "impression" and is_over:
            counts["missing"] += 1
            events.append(Event(number, 0.0))
        elif record.type == "impression":
            shown.append(Shown(number, record.key, record.time))
        elif waiting:
            counts["joined"] += 1
            shown.remove(waiting[0])
            events.append(Event(waiting[0].number, record.label))
        elif outcome or is_over:
            counts["late"] += 1
        else:
            outcomes.append(record)
        given.append(events)
    last = _given_up(shown, outcomes, float("inf"), window_s, counts)
    return given, last, counts


def _given_up(
    shown: list[Shown], outcomes: list[Record], watermark: float, window_s: float, counts: dict
) -> list[Event]:
    over = [s for s in shown if s.time + window_s < watermark]
    counts["missing"] += len(over)
    counts["late"] += sum(o.time + window_s < watermark for o in outcomes)
    return [Event(s.number, 0.0) for s in sorted(over, key=lambda s: (s.time, s.number))]
