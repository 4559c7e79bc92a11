"""From files to one frame of events: a reader per format, each described by its frozen config."""

from typing import Protocol

import polars as pl

from training.readers.criteo import Criteo
from training.readers.frappe import Frappe
from training.readers.libfm import LibFM
from training.readers.log import Log
from training.readers.movielens import MovieLens100K
from training.readers.movielens_1m import MovieLens1M
from training.readers.sequences import Sequences


class Reader(Protocol):
    """Reads its files into a frame with one event a line, in the order of the files."""

    def read(self) -> pl.DataFrame:
        """Returns the columns its docstring names."""
        ...


DataConfig = Log | Criteo | LibFM | Frappe | MovieLens100K | MovieLens1M | Sequences

__all__ = [
    "Criteo",
    "DataConfig",
    "Frappe",
    "LibFM",
    "Log",
    "MovieLens100K",
    "MovieLens1M",
    "Reader",
    "Sequences",
]
