"""The table in docs/papers.md: own lines are replaced, all else stays as it is."""

from datetime import date
from pathlib import Path

import pytest

from recsys_embed.errors import InputError
from tests.reproduce.making import Toy
from training.reproduce.experiment import Outcome, Row
from training.reproduce.record import record

PAGE = "# Papers\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nProse.\n"


def rows(auc: float, cases: tuple[str, ...] = ("first", "second")) -> dict[str, Row]:
    outcomes = [Outcome({"auc": auc}, 1, 1), Outcome({"auc": auc + 0.02}, 1, 1)]
    return {case: Row(case, outcomes, {"auc": 0.6}) for case in cases}


def test_lines_are_appended_then_replaced(tmp_path: Path) -> None:
    page = tmp_path / "papers.md"
    page.write_text(PAGE)
    record(Toy(0.5), rows(0.5), page)
    text = page.read_text()
    assert text.startswith(PAGE.rstrip("\n") + "\n\n## Reproduced\n\n| command |")
    day = date.today().isoformat()
    line = f"| `recsys-train reproduce toy` first: AUC | 0.600 | 0.5100 ± 0.0141 | 2 | {day} |"
    assert line in text.splitlines()
    other = "| `recsys-train reproduce toys` x | 1 | 2 | 3 | 4 |\n"
    page.write_text(text.rstrip("\n") + "\n" + other + "\nAn afterword.\n")
    record(Toy(0.5), rows(0.7, ("second", "third")), page)
    lines = page.read_text().splitlines()
    own = [at for at, x in enumerate(lines) if x.startswith("| `recsys-train reproduce toy`")]
    assert [lines[at].split()[4] for at in own] == ["second:", "third:"]
    assert lines[own[-1] + 1] == other.strip() and lines[-1] == "An afterword."
    assert all("0.7100" in lines[at] for at in own)
    again = page.read_text()
    record(Toy(0.5), rows(0.7, ("second", "third")), page)
    assert page.read_text() == again


def test_a_page_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run in a checkout"):
        record(Toy(0.5), rows(0.5), tmp_path / "papers.md")
