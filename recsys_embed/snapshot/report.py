"""The summary of a snapshot as text for people: one paragraph a table, histograms as bars."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

BAR_WIDTH = 40


def report(summary: Mapping[str, Any], bar: str = "#") -> str:
    """Spells what `inspect.summary` found.

    Args:
        summary: its result.
        bar: the character that bars are made of.
    """
    return "\n".join(line.rstrip() for line in _lines(summary, bar))


def _lines(summary: Mapping[str, Any], bar: str) -> Iterator[str]:
    yield f"snapshot {summary['number']}, written {summary['created']}"
    yield f"  path       {summary['path']}"
    yield f"  format     {summary['format']} version {summary['version']}"
    yield f"  uuid       {summary['uuid']}"
    yield f"  size       {summary['bytes']:,} bytes"
    yield f"  checksums  {_state(summary['damage'])}"
    yield from (f"    {sentence}" for sentence in summary["damage"] or ())
    for name, table in summary["tables"].items():
        yield ""
        yield from _table_lines(name, table, bar)
    if summary["dense"]:
        yield ""
        yield "dense arrays"
        yield from (f"  {name}  {kind}" for name, kind in summary["dense"].items())
    if summary["extra"]:
        yield ""
        yield "extra"
        yield from (f"  {name}  {value!r}" for name, value in summary["extra"].items())


def _state(damage: list[str] | None) -> str:
    if damage is None:
        return "not compared"
    return f"{len(damage)} tensors are DAMAGED" if damage else "all match"


def _table_lines(name: str, table: Mapping[str, Any], bar: str) -> Iterator[str]:
    config = table["config"]
    width = f"{table['dim']} weights and {table['state_width']} optimizer floats"
    yield f"table {name}: {table['rows']:,} rows of {width}"
    yield f"  size       {table['bytes']:,} bytes in {table['shards']} shards"
    yield f"  moment     seq {table['seq']:,}, clock {_moment(table['clock_s'])}"
    yield from (f"  segment    {_segment(segment)}" for segment in config["segments"])
    for rule in config["features"]:
        rows = table["features"][rule["name"]]
        yield f"  feature    {rule['name']}: {rows:,} rows, {_rule(rule)}"
    yield f"  admission  {_spelled(config['admission'])}"
    yield f"  row map    {_spelled(config['row_map'])}"
    yield f"  counters   {', '.join(f'{key} {n:,}' for key, n in table['counters'].items())}"
    if table["rows"]:
        yield "  last seen, before the table's clock"
        yield from _bars(table["ages"], bar)
        yield "  occurrences counted"
        yield from _bars(table["counts"], bar)


def _segment(segment: Mapping[str, Any]) -> str:
    optimizer, initializer = _spelled(segment["optimizer"]), _spelled(segment["initializer"])
    return f"dim {segment['dim']}, {optimizer}, {initializer}"


def _rule(rule: Mapping[str, Any]) -> str:
    ttl = "never expires" if rule["ttl_s"] is None else f"expires after {rule['ttl_s']:,} s"
    return f"admitted at occurrence {max(1, rule['threshold'])}, {ttl}"


def _moment(clock_s: int) -> str:
    if clock_s == 0:
        return "never set"
    return f"{clock_s} ({datetime.fromtimestamp(clock_s, UTC):%Y-%m-%d %H:%M:%S} UTC)"


def _spelled(values: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{key}={value}" for key, value in values.items() if key != "kind")
    return f"{values['kind']}({rest})"


def _bars(bins: Mapping[str, int], bar: str) -> Iterator[str]:
    """Draws the bins from the first to the last that holds a row."""
    filled = [i for i, rows in enumerate(bins.values()) if rows]
    total = sum(bins.values())
    for label, rows in list(bins.items())[filled[0] : filled[-1] + 1]:
        length = round(BAR_WIDTH * rows / max(bins.values())) or (1 if rows else 0)
        yield f"    {label:>32}  {rows:>13,}  {rows / total:>6.1%}  {bar * length}"
