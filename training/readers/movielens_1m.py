"""The part of MovieLens-1M that CoLLM divided by time: who liked which film, and its genres."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from recsys_embed.errors import InputError
from training.readers.paths import resolve

PARTS = {"train": "train", "validation": "valid", "test": "test"}
COLUMNS = {"uid": "user", "iid": "item", "label": "label", "timestamp": "time", "title": "title"}


@dataclass(frozen=True)
class MovieLens1M:
    """Reads collm_train.tsv, collm_valid.tsv, collm_test.tsv and movies.dat of a folder.

    Gives `user`, `item`, `label` (0 or 1), `time` (seconds), `title`, `genres` (list of strings,
    empty for a title that movies.dat lacks) and `part` ("train", "validation", "test").

    Zhang et al., CoLLM, arXiv 2310.19488.
    """

    kind: ClassVar[str] = "movielens-1m"
    path: str

    def read(self) -> pl.DataFrame:
        """Returns one line a rating, part after part."""
        events = pl.concat([self._part(part, name) for part, name in PARTS.items()])
        plain = pl.col("title").str.replace_all(r"[^\x00-\x7F]", "?")  # as movies.dat writes it
        known = events.with_columns(plain.alias("plain"))
        joined = known.join(self._genres(), on="plain", how="left", maintain_order="left")
        return joined.drop("plain").with_columns(pl.col("genres").fill_null([]))

    def _part(self, part: str, name: str) -> pl.DataFrame:
        path = resolve(f"{self.path}/collm_{name}.tsv")
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema_length=None)
        if missing := set(COLUMNS) - set(frame.columns):
            raise InputError(f"expected columns {sorted(COLUMNS)} in {path}, without {missing}")
        return frame.select(*COLUMNS).rename(COLUMNS).with_columns(pl.lit(part).alias("part"))

    def _genres(self) -> pl.DataFrame:
        path = resolve(f"{self.path}/movies.dat")
        lines = path.read_text(encoding="iso-8859-1").splitlines()
        fields = [line.split("::") for line in lines]
        if odd := [n for n, line in enumerate(fields, start=1) if len(line) != 3]:
            raise InputError(f"expected ID::TITLE::GENRES on line {odd[0]} of {path}")
        genres = {title: names.split("|") for _, title, names in fields}
        schema = {"plain": pl.String, "genres": pl.List(pl.String)}
        return pl.DataFrame({"plain": list(genres), "genres": list(genres.values())}, schema)
