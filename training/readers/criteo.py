"""The Criteo format: label, 13 counts, 26 hexadecimal categories, separated by tabs."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from recsys_embed.errors import InputError
from training.readers.paths import resolve

COUNTS = tuple(f"I{i}" for i in range(1, 14))
CATEGORIES = tuple(f"C{i}" for i in range(1, 27))


@dataclass(frozen=True)
class Criteo:
    """Reads a file in the format of the Criteo Display Advertising Challenge (train.txt).

    Gives `label` (int64), `I1` … `I13` (int64) and `C1` … `C26` (strings); an empty field is null.
    `line` numbers the events: the files tell no time, but are in its order, so `events.time` may be
    "line".
    """

    kind: ClassVar[str] = "criteo"
    path: str

    def read(self) -> pl.DataFrame:
        """Returns the 41 columns, in the order of the file."""
        integers = dict.fromkeys(("label", *COUNTS), pl.Int64)
        schema: dict[str, type[pl.DataType]] = {**integers, **dict.fromkeys(CATEGORIES, pl.String)}
        path = resolve(self.path)
        try:
            frame = pl.read_csv(
                path, separator="\t", has_header=False, schema=schema, quote_char=None
            )
        except pl.exceptions.PolarsError as error:
            raise InputError(
                f"expected label, 13 integers and 26 categories between tabs in {path}: {error}"
            ) from error
        return frame.with_row_index("line")
