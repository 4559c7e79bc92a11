"""Any event log in Parquet or CSV: the config says where, the columns say what."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from recsys_embed.errors import ConfigError, InputError
from training.readers.paths import resolve

Format = Literal["parquet", "csv"]
SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".gz": "csv",
}


@dataclass(frozen=True)
class Log:
    """Reads a Parquet or CSV log, one event a line.

    Args:
        path: a file, or a folder whose files of that format are read in the order of their names.
        format: "parquet" or "csv"; told by the ending unless given.
        separator: between the fields of a CSV line.
        columns: names for a CSV without a header line; with a header, leave it out.
        dates: columns to parse as ISO 8601 date-times (CSV alone; Parquet knows its types).
    """

    kind: ClassVar[str] = "log"
    path: str
    format: Format | None = None
    separator: str = ","
    columns: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.separator) != 1:
            raise ConfigError(f"data.separator must be one character, got {self.separator!r}")

    def read(self) -> pl.DataFrame:
        """Returns the columns of the files, as they are named there or in `columns`."""
        place = resolve(self.path)
        paths = self._files(place) if place.is_dir() else [place]
        return pl.concat([self._read(path) for path in paths])

    def _files(self, folder: Path) -> list[Path]:
        found = sorted(
            p for p in folder.iterdir() if SUFFIXES.get(p.suffix) == (self.format or "parquet")
        )
        if not found:
            raise InputError(f"expected {self.format or 'parquet'} files in {folder}, found none")
        return found

    def _read(self, path: Path) -> pl.DataFrame:
        known = self.format or SUFFIXES.get(path.suffix)
        if known is None:
            raise InputError(
                f"cannot tell the format of {path.name}; say data.format = 'parquet' or 'csv'"
            )
        try:
            return pl.read_parquet(path) if known == "parquet" else self._read_csv(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"expected a {known} file at {path}: {error}") from error

    def _read_csv(self, path: Path) -> pl.DataFrame:
        frame = pl.read_csv(
            path,
            separator=self.separator,
            has_header=not self.columns,
            infer_schema_length=10_000,
        )
        if self.columns and len(self.columns) != frame.width:
            raise InputError(
                f"data.columns names {len(self.columns)} columns, but {path} has {frame.width}"
            )
        frame = (
            frame.rename(dict(zip(frame.columns, self.columns, strict=True)))
            if self.columns
            else frame
        )
        return frame.with_columns(pl.col(name).str.to_datetime() for name in self.dates)
