"""A reproduction that costs nothing, and what a command line gives."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from training.commands import parser_of
from training.reproduce.experiment import Claim, Outcome, Rows

CONFIG = "base = 0.5\n[published]\nfirst = {auc = 0.6}\n"


@dataclass(frozen=True)
class Toy:
    """The AUC of case n and seed s is base + n / 10 + s / 100."""

    kind: ClassVar[str] = "toy"
    summary: ClassVar[str] = "A toy"
    metrics: ClassVar[Mapping[str, str]] = {"auc": "AUC", "log_loss": "log loss"}
    base: float
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ran: ClassVar[list[tuple[str, int]]] = []

    @property
    def cases(self) -> Sequence[str]:
        return ["first", "second"]

    def run(self, case: str, seed: int) -> Outcome:
        self.ran.append((case, seed))
        auc = self.base + self.cases.index(case) / 10 + seed / 100
        return Outcome({"auc": auc, "log_loss": float("nan")}, 10, 100 - 50 * (case == "second"))

    def quick(self) -> Self:
        return replace(self, base=0.0)

    def claims(self, rows: Rows) -> Sequence[Claim]:
        gain = rows["second"].mean("auc") - rows["first"].mean("auc")
        return [Claim("gain", gain, least=0.05), Claim("more", gain, least=0.2)]

    def draw(self, rows: Rows, path: Path) -> None:
        path.write_text(" ".join(rows))


def options_of(*words: str) -> argparse.Namespace:
    return parser_of("reproduce").parse_args(words)
