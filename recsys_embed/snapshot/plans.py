"""What goes into which file of a snapshot, and what the manifest will say about it."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from recsys_embed.cut import Cut
from recsys_embed.row_maps import Learned
from recsys_embed.snapshot.files import FilePlan
from recsys_embed.snapshot.format import (
    FORMAT,
    VERSION,
    FileRecord,
    Manifest,
    ShardRecord,
    TableRecord,
    row_tensors,
    table_directory,
)
from recsys_embed.snapshot.layout import Tensor, layout

BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class TablePlan:
    """The files of one table: rows in shards; where it has them, admission state and row map."""

    cut: Cut
    shards: list[FilePlan]
    admission: list[FilePlan]
    row_map: list[FilePlan]

    @property
    def files(self) -> list[FilePlan]:
        """All of them."""
        return self.shards + self.admission + self.row_map

    def record(self, written: Mapping[str, FileRecord]) -> TableRecord:
        """Gives the table's part of the manifest once its files are written."""
        return TableRecord(
            config=self.cut.config,
            num_rows=self.cut.num_rows,
            seq=self.cut.seq,
            clock_s=self.cut.clock_s,
            counters=self.cut.counters,
            shards=tuple(_shard_record(plan, written[plan.name]) for plan in self.shards),
            admission=_record_of(self.admission, written),
            row_map=_record_of(self.row_map, written),
        )


@dataclass(frozen=True)
class SnapshotPlan:
    """All files of a snapshot beside its manifest."""

    tables: dict[str, TablePlan]
    dense: list[FilePlan]

    @property
    def files(self) -> list[FilePlan]:
        """All of them."""
        return [file for table in self.tables.values() for file in table.files] + self.dense

    @property
    def num_bytes(self) -> int:
        """Bytes they will take."""
        return sum(file.layout.nbytes for file in self.files)

    def manifest(
        self, number: int, extra: Mapping[str, Any], written: Mapping[str, FileRecord]
    ) -> Manifest:
        """Gives the manifest once the files are written."""
        return Manifest(
            format=FORMAT,
            version=VERSION,
            uuid=str(uuid.uuid4()),
            number=number,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tables={name: table.record(written) for name, table in self.tables.items()},
            dense=_record_of(self.dense, written),
            extra=dict(extra),
        )


def plan_snapshot(
    cuts: Mapping[str, Cut], dense: Mapping[str, NDArray[Any]], shards: int
) -> SnapshotPlan:
    """Splits the rows of each cut into `shards` files."""
    tables = {name: _plan_table(name, cut, shards) for name, cut in cuts.items()}
    return SnapshotPlan(tables, plan_arrays("dense", dense))


def plan_arrays(stem: str, arrays: Mapping[str, NDArray[Any]]) -> list[FilePlan]:
    """Puts arrays into one file, or into none if there are no arrays.

    Raises:
        InputError: for a name or dtype that a file cannot hold.
    """
    tensors = {name: Tensor(array.dtype, array.shape) for name, array in arrays.items()}
    return (
        [FilePlan(f"{stem}.safetensors", layout(tensors), lambda: iter(arrays.items()))]
        if arrays
        else []
    )


def _record_of(plans: list[FilePlan], written: Mapping[str, FileRecord]) -> FileRecord | None:
    return written[plans[0].name] if plans else None


def _plan_table(name: str, cut: Cut, shards: int) -> TablePlan:
    folder = table_directory(name)
    rows = [_plan_rows(folder, cut, part, shards) for part in range(shards)]
    row_map = cut.config.row_map
    arrays = row_map.whole() if isinstance(row_map, Learned) else {}
    admission = plan_arrays(f"{folder}/admission", cut.admission)
    return TablePlan(cut, rows, admission, plan_arrays(f"{folder}/row_map", arrays))


def _plan_rows(folder: str, cut: Cut, part: int, parts: int) -> FilePlan:
    tensors = row_tensors(cut.config, cut.num_rows_in(part, parts))
    row_bytes = sum(tensor.nbytes for tensor in row_tensors(cut.config, 1).values())
    rows_per_block = max(1, BLOCK_BYTES // row_bytes)

    def blocks() -> Iterator[tuple[str, NDArray[Any]]]:
        for block in cut.blocks(part, parts, rows_per_block=rows_per_block):
            for name in tensors:
                yield name, getattr(block, name)

    file = f"{folder}/rows-{part:05d}-of-{parts:05d}.safetensors"
    return FilePlan(file, layout(tensors), blocks)


def _shard_record(plan: FilePlan, record: FileRecord) -> ShardRecord:
    (rows,) = plan.layout.tensors["ids"].shape
    return ShardRecord(**vars(record), rows=rows)
