"""A snapshot made of dicts: slow, obvious, and the oracle for answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.table_config import TableConfig
from serving.lookup import LookupService

VERSION = "0b0f7d1e-0000-4000-8000-000000000001:7"
INITIAL = 0.25


class Rows(NamedTuple):
    values: NDArray[np.float32]
    found: NDArray[np.bool_]


@dataclass
class FakeTable:
    config: TableConfig
    vectors: dict[int, NDArray[np.float32]]

    @property
    def num_rows(self) -> int:
        return len(self.vectors)

    def lookup(
        self, ids: NDArray[np.int64], *, missing: Any = "initial", feature: str | None = None
    ) -> Rows:
        filler = (
            {"initial": INITIAL, "zeros": 0.0}[missing] if isinstance(missing, str) else missing
        )
        values = np.empty((len(ids), self.config.dim), np.float32)
        for position, one in enumerate(ids.tolist()):
            values[position] = self.vectors.get(one, filler)
        return Rows(values, np.array([one in self.vectors for one in ids.tolist()], np.bool_))


@dataclass
class FakeSnapshot:
    tables: Mapping[str, FakeTable]
    version_id: str = VERSION
    manifest: dict[str, Any] = field(
        default_factory=lambda: {"created": "2026-01-02T03:04:05+00:00"}
    )
    extra: dict[str, Any] = field(default_factory=dict)


def table_of(name: str, dim: int, ids: list[int], seed: int = 0) -> FakeTable:
    """A table with a random vector for each id."""
    vectors = np.random.default_rng(seed).standard_normal((len(ids), dim)).astype(np.float32)
    return FakeTable(TableConfig.of(name, dim), dict(zip(ids, vectors, strict=True)))


def service_of(*tables: FakeTable) -> LookupService:
    return LookupService.of(FakeSnapshot({t.config.name: t for t in tables}))  # type: ignore[arg-type]


class Opener:
    """Stands in for `LookupService.open`."""

    def __init__(self, service: LookupService) -> None:
        self.service = service

    def __call__(self, path: Path) -> LookupService:
        return self.service
