"""The table "Reproduced" at the end of docs/papers.md, one line a case."""

from datetime import date
from pathlib import Path

from recsys_embed.errors import InputError
from training.reproduce.experiment import Experiment, Rows
from training.reproduce.printing import obtained, published

PAGE = Path("docs/papers.md")
TITLE = "## Reproduced"
HEADER = (
    "| command | published | obtained mean ± std | seeds | date |",
    "|---|---|---|---|---|",
)


def record(experiment: Experiment, rows: Rows, page: Path = PAGE) -> None:
    """Replaces the lines of this reproduction by new ones; other lines stay.

    Raises:
        InputError: if there is no such page.
    """
    if not page.is_file():
        raise InputError(f"--record writes into {page}, which is not here; run in a checkout")
    text = page.read_text(encoding="utf-8")
    if TITLE not in text:
        text = "\n".join([text.rstrip("\n"), "", TITLE, "", *HEADER, ""])
    before, _, section = text.partition(TITLE)
    lines = section.split("\n")
    own = f"| `recsys-train reproduce {experiment.kind}`"
    at = _last_line_of_table(lines) + 1
    first = next((n for n, line in enumerate(lines) if line.startswith(own)), at)
    lines[first:first] = lines_of(experiment, rows)
    new = set(range(first, first + len(lines_of(experiment, rows))))
    kept = [line for n, line in enumerate(lines) if n in new or not line.startswith(own)]
    page.write_text(before + TITLE + "\n".join(kept), encoding="utf-8")


def lines_of(experiment: Experiment, rows: Rows) -> list[str]:
    """Gives a line for each case, of the measure that the experiment is about."""
    metric, heading = next(iter(experiment.metrics.items()))
    return [
        f"| `recsys-train reproduce {experiment.kind}` {row.case}: {heading}"
        f" | {published(row, metric)} | {obtained(row, metric)} | {len(row.outcomes)}"
        f" | {date.today().isoformat()} |"
        for row in rows.values()
    ]


def _last_line_of_table(lines: list[str]) -> int:
    return max(n for n, line in enumerate(lines) if line.startswith("|"))
