"""Each format read from a few literal lines."""

from pathlib import Path

import polars as pl
import pytest

from recsys_embed import ConfigError, InputError
from training.readers import Criteo, LibFM, Log, MovieLens100K


def test_csv_with_a_header_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,when,label\na,2024-01-01T00:00:10,1\nb,2024-01-01T00:00:20,0\n")
    frame = Log(str(path), dates=("when",)).read()
    assert frame["user"].to_list() == ["a", "b"] and frame["label"].to_list() == [1, 0]
    assert (frame["when"].dt.epoch("s") % 60).to_list() == [10, 20]


def test_csv_without_a_header_takes_the_given_names(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("1|x\n2|y\n")
    assert Log(str(path), separator="|", columns=("n", "s")).read().rows() == [(1, "x"), (2, "y")]
    with pytest.raises(InputError, match="names 3 columns, but .* has 2"):
        Log(str(path), separator="|", columns=("n", "s", "t")).read()


def test_a_folder_of_parquet_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, value in (("b", 2), ("a", 1)):
        pl.DataFrame({"x": [value]}).write_parquet(tmp_path / f"{name}.parquet")
    assert Log(str(tmp_path)).read()["x"].to_list() == [1, 2]


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.*does not exist.*RECSYS_DATA"):
        Log(str(tmp_path / "nowhere.csv")).read()


def test_recsys_data_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "log.csv").write_text("a\n1\n")
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    assert Log("$RECSYS_DATA/x/log.csv").read()["a"].to_list() == [1]


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_text("hello")
    with pytest.raises(InputError, match="expected a parquet file"):
        Log(str(tmp_path / "log.parquet")).read()


def test_criteo_keeps_empty_fields_as_missing(tmp_path: Path) -> None:
    counts, categories = ["1", ""] + ["-2"] * 11, ["68fd1e64", ""] + ["be589b51"] * 24
    path = tmp_path / "train.txt"
    path.write_text("\t".join(["1", *counts, *categories]) + "\n")
    row = Criteo(str(path)).read().row(0, named=True)
    assert (row["label"], row["I1"], row["I2"], row["I13"]) == (1, 1, None, -2)
    assert (row["C1"], row["C2"], row["C26"]) == ("68fd1e64", None, "be589b51")


def test_criteo_with_a_wrong_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1\tx\n")
    with pytest.raises(InputError, match="13 integers and 26 categories"):
        Criteo(str(tmp_path / "train.txt")).read()


def test_libfm_with_fields_gives_a_column_each(tmp_path: Path) -> None:
    path = tmp_path / "a.libfm"
    path.write_text("1 3:1 10:0.5\n-1 4:1 11:2 # a comment\n\n")
    frame = LibFM((str(path),), fields=("user", "item")).read()
    assert frame["label"].to_list() == [1, 0] and frame["user"].to_list() == [3, 4]
    assert frame["item"].to_list() == [10, 11] and frame["item_value"].to_list() == [0.5, 2.0]


def test_libfm_without_fields_gives_weighted_bags_and_parts(tmp_path: Path) -> None:
    for name, text in (("a", "0 3:1 10:0.5\n"), ("b", "1\n")):
        (tmp_path / name).write_text(text)
    frame = LibFM((str(tmp_path / "a"), str(tmp_path / "b"))).read()
    assert frame["indices"].to_list() == [[3, 10], []] and frame["values"].to_list() == [
        [1.0, 0.5],
        [],
    ]
    assert frame["part"].to_list() == [0, 1]


def test_libfm_names_the_line_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "a.libfm"
    path.write_text("1 3:1\n1 3\n")
    with pytest.raises(InputError, match="line 2"):
        LibFM((str(path),)).read()
    path.write_text("1 3:1\n1 3:1 4:1\n")
    with pytest.raises(InputError, match="line 2 .* has 2 entries"):
        LibFM((str(path),), fields=("user",)).read()
    with pytest.raises(ConfigError, match="at least one"):
        LibFM(())


def test_movielens_joins_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("5\t2\t4\t100\n6\t1\t1\t90\n")
    flags = {1: ["Action", "War"], 2: []}
    from training.readers.movielens import GENRES

    lines = [
        "|".join(
            [str(i), 'Léon "x" (1994)', "01-Jan-1994" if i == 1 else "", "", "url"]
            + ["1" if g in genres else "0" for g in GENRES]
        )
        for i, genres in flags.items()
    ]
    (tmp_path / "u.item").write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    (tmp_path / "u.user").write_text("5|33|F|other|T8H1N\n6|20|M|artist|00123\n")
    first, second = MovieLens100K(str(tmp_path)).read().rows(named=True)
    assert (first["user"], first["rating"], first["genres"], first["year"]) == (5, 4, [], None)
    assert (second["title"], second["year"], second["genres"]) == (
        'Léon "x" (1994)',
        1994,
        ["Action", "War"],
    )
    assert (first["occupation"], second["zip"]) == ("other", "00123")
