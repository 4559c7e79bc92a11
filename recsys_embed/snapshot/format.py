"""What a snapshot consists of: names, columns, and the records that its manifest holds.

docs/formats.md is the specification; this file and that page change together.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from recsys_embed.errors import ConfigError
from recsys_embed.snapshot.layout import Tensor
from recsys_embed.table_config import TableConfig

FORMAT = "recsys-embed-snapshot"
VERSION = 2
READABLE = (1, 2)
MANIFEST = "manifest.json"
CHECKSUM = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class FileRecord:
    """One safetensors file: its size and the XXH64 of its header and of each of its tensors."""

    file: str
    bytes: int
    header: str
    checksums: dict[str, str]

    def __post_init__(self) -> None:
        _refuse_escape(self.file)
        for digest in (self.header, *self.checksums.values()):
            if not CHECKSUM.fullmatch(digest):
                raise ConfigError(
                    f"{self.file}: expected a checksum of 16 hexadecimal digits, got {digest!r}"
                )


@dataclass(frozen=True)
class ShardRecord(FileRecord):
    """A file that holds `rows` rows of a table."""

    rows: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 0:
            raise ConfigError(f"{self.file}: expected 0 or more rows, got {self.rows}")


@dataclass(frozen=True)
class TableRecord:
    """One table: how it is configured, where it stood, and the files that hold its rows."""

    config: TableConfig
    num_rows: int
    seq: int
    clock_s: int
    counters: dict[str, int]
    shards: tuple[ShardRecord, ...]
    admission: FileRecord | None
    row_map: FileRecord | None = None

    def __post_init__(self) -> None:
        rows = sum(shard.rows for shard in self.shards)
        if rows != self.num_rows:
            raise ConfigError(
                f"table {self.config.name!r}: expected {self.num_rows} rows, its shards have {rows}"
            )


@dataclass(frozen=True)
class Manifest:
    """Everything `manifest.json` says, apart from its own checksum."""

    format: str
    version: int
    uuid: str
    number: int
    created: str
    tables: dict[str, TableRecord]
    dense: FileRecord | None
    extra: dict[str, Any]

    @property
    def files(self) -> tuple[FileRecord, ...]:
        """Every file beside the manifest."""
        shards = [shard for table in self.tables.values() for shard in table.shards]
        of_tables = [r for table in self.tables.values() for r in (table.admission, table.row_map)]
        others = [*of_tables, self.dense]
        return (*shards, *(record for record in others if record is not None))


def row_tensors(config: TableConfig, rows: int) -> dict[str, Tensor]:
    """Gives dtype and shape of the tensors that hold `rows` rows of a table, in file order."""
    shapes = {
        "ids": ("<i8", (rows,)),
        "weights": ("<f4", (rows, config.dim)),
        "state": ("<f4", (rows, config.state_width)),
        "last_seen": ("<u4", (rows,)),
        "count": ("<u4", (rows,)),
        "feature": ("<u2", (rows,)),
        "seq": ("<u8", (rows,)),
    }
    return {name: Tensor(np.dtype(dtype), shape) for name, (dtype, shape) in shapes.items()}


def table_directory(name: str) -> str:
    """Gives a table's directory: its name, percent-encoded as in a URL, dots at the front as well.

    Example:
        >>> table_directory("user id"), table_directory("../a")
        ('tables/user%20id', 'tables/%2E%2E%2Fa')
    """
    encoded = quote(name, safe="")
    dots = len(encoded) - len(encoded.lstrip("."))
    return f"tables/{'%2E' * dots}{encoded[dots:]}"


def _refuse_escape(file: str) -> None:
    parts = PurePosixPath(file).parts
    if not file or file.startswith("/") or "\\" in file or "\0" in file or ".." in parts:
        raise ConfigError(f"expected the name of a file inside the snapshot, got {file!r}")
