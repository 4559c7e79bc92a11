"""`recsys-train graphhash` writes row maps, goes on from them, and says what is wrong."""

import json

import numpy as np
import polars as pl
import pytest

from recsys_embed import hash_strings
from recsys_embed.graphhash import read_clustering
from recsys_embed.row_maps.files import read_row_map
from tests.graphhash.making import planted
from training.cli import main


@pytest.fixture
def table(tmp_path, rng):
    graph, _, _ = planted(rng)
    users = [f"user {user}" for user in graph.user_ids[graph.users]]
    frame = pl.DataFrame({"u": users, "i": graph.item_ids[graph.items]})
    path = tmp_path / "log.csv"
    pl.concat([frame, pl.DataFrame({"u": [None], "i": [3]})], how="vertical_relaxed").write_csv(
        path
    )
    return path


def columns(path):
    return [str(path), "--user", "u", "--item", "i"]


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_the_folder_holds_what_help_says(tmp_path, table, capsys):
    out = tmp_path / "out"
    assert main(["graphhash", *columns(table), "--rows", "24", "--output", str(out)]) == 0
    names = "users.rowmap items.rowmap clustering.safetensors summary.json picture.png".split()
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    summary = summary_of(out)
    assert (summary["user_rows"], summary["item_rows"], summary["left_out"]) == (12, 12, 1)
    assert summary["churn"] is None and len(summary["trials"]) >= 4
    ids = hash_strings([f"user {user}" for user in range(240)])
    rows = read_row_map(out / "users.rowmap").map(ids).rows[0]
    clusters = read_clustering(out / "clustering.safetensors")
    assert rows.tolist() == clusters.row_map("users").map(ids).rows[0].tolist()
    printed = capsys.readouterr().out
    assert "12 user rows and 12 item rows" in printed and "1 lines left out" in printed


def test_refresh_and_join_go_on_from_a_folder(tmp_path, table, capsys):
    first, second, third = (str(tmp_path / name) for name in ("one", "two", "three"))
    assert main(["graphhash", *columns(table), "--resolution", "2", "--output", first]) == 0
    more = tmp_path / "more.parquet"
    pl.DataFrame({"u": ["user 0", "new"], "i": [500, 3]}).write_parquet(more)
    both = [str(table), *columns(more)]
    assert main(["graphhash", *both, "--refresh", first, "--output", second]) == 0
    churn = summary_of(tmp_path / "two")["churn"]
    assert churn["users"]["ids_new"] == churn["items"]["ids_new"] == 1
    assert churn["users"]["rows_kept"] == 12 and churn["users"]["ids_moved"] == 0
    assert "in the same row" in capsys.readouterr().out
    assert main(["graphhash", *columns(more), "--join", first, "--output", third]) == 0
    users = read_row_map(tmp_path / "three" / "users.rowmap")
    items = read_row_map(tmp_path / "three" / "items.rowmap")
    old = read_clustering(tmp_path / "one" / "clustering.safetensors")
    of_item_3 = old.items.clusters[old.items.ids == 3]
    assert users.map(hash_strings(["new"])).rows[0] == old.users.rows[of_item_3]
    of_user_0 = old.users.clusters[old.users.ids == hash_strings(["user 0"])]
    assert items.map(np.array([500])).rows[0] == old.items.rows[of_user_0]


def test_adjacency_and_doubled_maps(tmp_path):
    (tmp_path / "train.txt").write_text("0 0 1\n1 0 1\n2 2 3\n3 2 3\n")
    out = tmp_path / "out"
    given = [str(tmp_path / "train.txt"), "--double", "--seed", "4", "--method", "louvain"]
    assert main(["graphhash", *given, "--output", str(out)]) == 0
    users = read_row_map(out / "users.rowmap")
    assert (users.kind, users.num_rows) == ("double_graphhash", 2)
    assert users.map(np.arange(4)).rows[0, ::2].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["log.csv"], "log.csv is a table; say which columns hold users and items"),
        (["log.csv", "--user", "u"], "a table needs both --user COLUMN and --item COLUMN"),
        (["log.csv", "--user", "u", "--item", "items"], "has no column 'items'"),
        (["none.txt"], "does not exist"),
        ([*columns("log.csv"), "--rows", "9999"], "together can be 2 to 360"),
        ([*columns("log.csv"), "--rows", "9", "--user-rows", "3"], "name users, items or both"),
        ([*columns("log.csv"), "--rows", "9", "--resolution", "3"], "leave it or the rows out"),
        ([*columns("log.csv"), "--rows", "9", "--join", "x"], "--join changes no rows"),
        ([*columns("log.csv"), "--refresh", "x"], "expected a clustering at x"),
        ([*columns("log.csv"), "--resolution", "-1"], "above 0 and finite, got -1.0"),
    ],
)
def test_bad_input_is_said_in_a_sentence(monkeypatch, table, capsys, given, message):
    monkeypatch.chdir(table.parent)
    assert main(["graphhash", *given, "--output", "out"]) == 2
    assert message in capsys.readouterr().err
    assert not (table.parent / "out").exists()
