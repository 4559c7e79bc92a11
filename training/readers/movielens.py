"""MovieLens-100K: ratings joined with what is known of the movie and the user."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from recsys_embed.errors import InputError
from training.readers.paths import resolve

GENRES = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama Fantasy"
    " Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"
).split()


@dataclass(frozen=True)
class MovieLens100K:
    """Reads u.data, u.item and u.user of MovieLens-100K, in the order of u.data.

    Gives `user`, `item`, `rating`, `time` (seconds), `title`, `year` (null if unknown), `genres`
    (list of strings), `age`, `gender`, `occupation`, `zip`.
    """

    kind: ClassVar[str] = "movielens-100k"
    path: str

    def read(self) -> pl.DataFrame:
        """Returns one line a rating."""
        ratings = self._table("u.data", "\t", ["user", "item", "rating", "time"])
        return ratings.join(self._items(), on="item", how="left", maintain_order="left").join(
            self._users(), on="user", how="left", maintain_order="left"
        )

    def _items(self) -> pl.DataFrame:
        names = ["item", "title", "date", "video_date", "url", *GENRES]
        genres = pl.concat_list(
            [pl.when(pl.col(g) == 1).then(pl.lit(g)) for g in GENRES]
        ).list.drop_nulls()
        year = pl.col("date").str.slice(-4).cast(pl.Int64, strict=False)
        return self._table("u.item", "|", names).select(
            "item", "title", year.alias("year"), genres.alias("genres")
        )

    def _users(self) -> pl.DataFrame:
        return self._table("u.user", "|", ["user", "age", "gender", "occupation", "zip"])

    def _table(self, name: str, separator: str, columns: list[str]) -> pl.DataFrame:
        path = resolve(f"{self.path}/{name}")
        frame = pl.read_csv(
            path,
            separator=separator,
            has_header=False,
            quote_char=None,  # titles hold quotes
            encoding="iso-8859-1",
            infer_schema_length=None,
        )
        if frame.width != len(columns):
            raise InputError(f"expected {len(columns)} columns in {path}, got {frame.width}")
        return frame.rename(dict(zip(frame.columns, columns, strict=True)))
