"""CoLLM's part of MovieLens-1M from a few literal lines."""

from pathlib import Path

import pytest

from recsys_embed import InputError
from training.readers import MovieLens1M

HEADER = "uid\tiid\tlabel\ttimestamp\tnot_cold\ttitle\n"
MOVIES = "1::Heat (1995)::Action|Crime\n2::La Vita ? bella (1997)::Comedy\n"


def folder_of(folder: Path, header: str = HEADER, movies: str = MOVIES) -> str:
    lines = {
        "train": "1\t10\t1\t100\t1\tHeat (1995)\n2\t11\t0\t101\t1\tLa Vita è bella (1997)\n",
        "valid": "1\t12\t0\t200\t1\tUnknown (1990)\n",
        "test": "3\t10\t1\t300\t0\tHeat (1995)\n",
    }
    for part, text in lines.items():
        (folder / f"collm_{part}.tsv").write_text(header + text, encoding="utf-8")
    (folder / "movies.dat").write_text(movies)
    return str(folder)


def test_ratings_have_parts_and_genres(tmp_path: Path) -> None:
    assert MovieLens1M(folder_of(tmp_path)).read().rows() == [
        (1, 10, 1, 100, "Heat (1995)", "train", ["Action", "Crime"]),
        (2, 11, 0, 101, "La Vita è bella (1997)", "train", ["Comedy"]),
        (1, 12, 0, 200, "Unknown (1990)", "validation", []),
        (3, 10, 1, 300, "Heat (1995)", "test", ["Action", "Crime"]),
    ]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected columns .*without \{'iid'\}"):
        MovieLens1M(folder_of(tmp_path, header=HEADER.replace("iid", "item"))).read()
    with pytest.raises(InputError, match="expected ID::TITLE::GENRES on line 2"):
        MovieLens1M(folder_of(tmp_path, movies="1::a::b\n2::a\n")).read()
