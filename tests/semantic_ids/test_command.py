"""`recsys-train semantic-ids`: vectors or texts in, a folder out that gives later items IDs too."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_embed import hash_string
from recsys_embed.row_maps.files import read_row_map
from recsys_embed.row_maps.semantic_id import SemanticId
from recsys_embed.semantic_ids.files import read_codebooks, read_text_vectors
from tests.semantic_ids.making import planted
from training.cli import main

WORDS = "red blue green nail polish hair dryer brush cream balm".split()


def table(path: Path, rng: np.random.Generator) -> list[str]:
    """120 items by name, each with a title and a brand that is sometimes missing; item 0 twice."""
    names = [f"item-{number}" for number in range(120)]
    titles = [" ".join(rng.choice(WORDS, 4)) for _ in names]
    brands = [rng.choice(["acme", "best", ""]) or None for _ in names]
    frame = pl.DataFrame({"name": names, "title": titles, "brand": brands})
    again = pl.DataFrame({"name": names[:1], "title": ["else"], "brand": ["else"]})
    pl.concat([frame, again]).write_csv(path, separator="\t")
    return [f"{title} {brand or ''}" for title, brand in zip(titles, brands, strict=True)]


def test_texts_become_ids_and_so_do_texts_that_come_later(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, out = table(tmp_path / "items.tsv", rng), tmp_path / "out"
    words = f"{tmp_path}/items.tsv --id name --text title --text brand --text-dim 6 --codes 8"
    more = f"--epochs 3 --rows 60 --tokens pieces --memorize-rows 5 --output {out}"
    assert main(["semantic-ids", *words.split(), *more.split()]) == 0
    printed = capsys.readouterr().out
    assert "120 items with contents of 6 floats" in printed and "level 3: perplexity" in printed
    items = pl.read_parquet(out / "items.parquet")
    assert items["id"].to_list() == [hash_string(f"item-{number}") for number in range(120)]
    codes = items.select("code_1", "code_2", "code_3").to_numpy()
    contents = read_text_vectors(out / "text-vectors.safetensors")(texts)
    np.testing.assert_array_equal(
        read_codebooks(out / "codebooks.safetensors").encode(contents), codes
    )
    row_map = read_row_map(out / "items.rowmap")
    assert isinstance(row_map, SemanticId) and row_map.rows == 60 and row_map.tokens == "pieces"
    np.testing.assert_array_equal(row_map.codes_of(items["id"].to_numpy()), codes)
    health = json.loads((out / "health.json").read_text())
    assert health["items"] == 120 and len(health["perplexity"]) == 3
    cosines = [p["mean_cosine"] for p in json.loads((out / "prefixes.json").read_text())]
    assert len(cosines) >= 2 and min(cosines[1:]) > cosines[0]
    lines = (out / "epochs.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    assert all((out / name).exists() for name in ("health.png", "epochs.png"))


def test_vectors_become_ids(tmp_path: Path, rng: np.random.Generator) -> None:
    contents, groups = planted(rng, clusters=6, each=9, dim=5)
    np.save(tmp_path / "vectors.npy", contents)
    np.save(tmp_path / "ids.npy", np.arange(54) * 3)
    words = f"{tmp_path}/vectors.npy --ids {tmp_path}/ids.npy --output {tmp_path}/out"
    more = "--quantizer residual-kmeans --levels 2 --codes 6"
    assert main(["semantic-ids", *words.split(), *more.split()]) == 0
    items = pl.read_parquet(tmp_path / "out" / "items.parquet")
    assert items["id"].to_list() == list(range(0, 162, 3))
    assert len(set(zip(items["code_1"], groups, strict=True))) == 6
    assert not list((tmp_path / "out").glob("epochs*")) + list((tmp_path / "out").glob("*.rowmap"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("items.tsv", "say which columns of the table hold ids and texts"),
        ("items.tsv --id name --text tilte", "has no column 'tilte'; did you mean 'title'?"),
        ("items.tsv --id name --text title --codes 500", "120 items are fewer than the 500 codes"),
        ("items.tsv --id name --text title --text-dim 99", "distinct words give fewer than"),
        ("flat.npy", r"expected content vectors (N, D) in flat.npy, got float64 (5,)"),
        ("two.npy --ids flat.npy", "expected integers or strings"),
        ("two.npy --ids same.npy", "expected 5 distinct ids in same.npy, got 1 distinct of 5"),
        ("none.npy", "expected data at 'none.npy'"),
        ("items.npy", "expected an array in items.npy"),
    ],
)
def test_bad_input_is_one_sentence(
    words: str, sentence: str, tmp_path: Path, rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "items.tsv", rng)
    (tmp_path / "items.npy").write_text("no array")
    np.save("flat.npy", np.zeros(5))
    np.save("two.npy", np.zeros((5, 2)))
    np.save("same.npy", np.zeros(5, int))
    added = [] if "--text-dim" in words else ["--text-dim", "3"]
    assert main(["semantic-ids", *words.split(), *added, "--output", "out"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("recsys-train: ") and sentence in said
