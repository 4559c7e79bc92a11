"""docs/formats.md runs as it stands, and says what the library does."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.config import to_dict
from recsys_embed.hashing import hash_string
from recsys_embed.initializers import Uniform
from recsys_embed.mapped_table import MappedTable, make_table
from recsys_embed.row_maps import Hashed
from recsys_embed.row_maps.hashed import salt
from recsys_embed.rules import FeatureRule
from recsys_embed.semantic_ids.codebooks import Codebooks
from recsys_embed.semantic_ids.networks import Perceptron
from recsys_embed.snapshot.checksums import checksum
from recsys_embed.snapshot.format import row_tensors
from recsys_embed.snapshot.layout import DTYPES
from recsys_embed.table_config import Segment, TableConfig
from recsys_embed.threads import initial_values
from tests.row_maps.making import DIM, FEATURES, KNOWN, LEARNED, ROW_MAPS

INT64 = st.integers(-(2**63), 2**63 - 1)
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """Everything the blocks of the page define, after they have run in order."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for block in BLOCKS:
            exec(compile(block, "docs/formats.md", "exec"), names)
    return names


def test_every_block_of_the_page_runs(page: dict[str, Any]) -> None:
    assert len(BLOCKS) == 16
    assert page["vectors"].keys() == {0, -1, 2**63 - 1, -(2**63), hash_string("a")}


@given(text=st.text(max_size=80))
def test_the_hash_on_the_page_is_the_hash_of_the_library(page: dict[str, Any], text: str) -> None:
    assert page["id_of"](text) == hash_string(text)


@given(data=st.binary(max_size=200))
def test_the_checksum_on_the_page_is_that_of_the_library(page: dict[str, Any], data: bytes) -> None:
    assert f"{page['xxh64'](data):016x}" == checksum(data)


def test_the_strings_in_the_table_have_these_ids() -> None:
    lines = re.findall(r"^\| `?(\S*?)`? \| `([0-9a-f]{16})` \| (-?\d+) \|$", PAGE, re.MULTILINE)
    assert len(lines) == 4
    for string, digits, number in lines:
        value = "" if string == "*(empty)*" else string
        assert hash_string(value) == int(number) == np.uint64(int(digits, 16)).view(np.int64)


@given(id=INT64, rows=st.integers(1, 2**32), seed=st.integers(0, 2**63 - 1))
def test_buckets_are_those_of_the_page(page: dict[str, Any], id: int, rows: int, seed: int) -> None:
    (row,) = Hashed(rows, seed).map(np.array([id])).rows[0].tolist()
    assert page["bucket"](id, seed, rows) == row


@given(name=st.text(max_size=9), number=st.integers(0, 64), seed=st.integers(0, 2**63 - 1))
def test_salts_are_those_of_the_page(
    page: dict[str, Any], name: str, number: int, seed: int
) -> None:
    assert page["salt"](name, number, seed) == salt(name, number, seed)


@pytest.mark.parametrize("name", ROW_MAPS)
@given(id=INT64 | st.sampled_from(KNOWN.tolist()), feature=st.sampled_from(FEATURES))
def test_rows_and_vectors_are_those_of_the_page(
    page: dict[str, Any], name: str, id: int, feature: str
) -> None:
    row_map, ids = ROW_MAPS[name], np.array([id])
    values, arrays = to_dict(row_map), dict(getattr(row_map, "arrays", {}))
    chunks = page["rows_of"](values, id, feature, arrays)
    assert chunks == row_map.map(ids, feature).rows.tolist()

    features = tuple(FeatureRule(f) for f in FEATURES)
    table = make_table(TableConfig.of("t", DIM, row_map=row_map, features=features))
    rows = sorted({row for chunk in chunks for row in chunk})
    of_rows = TableConfig.of("t", DIM)
    weights = dict(zip(rows, initial_values(of_rows, np.array(rows)), strict=True))
    expected = page["vector"](values, id, chunks, weights)
    read = table.lookup(ids, **({"feature": feature} if isinstance(table, MappedTable) else {}))
    if row_map.combine == "weighted":
        np.testing.assert_allclose(read[0], expected, rtol=1e-5, atol=1e-8)
    else:
        np.testing.assert_array_equal(read[0], expected)


@pytest.mark.parametrize("name", LEARNED)
def test_digests_and_arrays_are_those_of_the_page(page: dict[str, Any], name: str) -> None:
    row_map = ROW_MAPS[name]
    assert page["digest"](row_map.arrays) == row_map.digest
    for column in row_map.columns:
        assert f"`{column}` " in PAGE


def test_codes_are_those_of_the_page(page: dict[str, Any], rng: np.random.Generator) -> None:
    books = rng.normal(size=(3, 5, 4)).astype(np.float32)
    widths = np.array([6, 7, 4])
    encoder = Perceptron(widths, rng.normal(size=6 * 7 + 7 + 7 * 4 + 4).astype(np.float32))
    for codebooks in (Codebooks(books), Codebooks(books, encoder)):
        contents = rng.normal(size=(40, codebooks.width)).astype(np.float32)
        expected = [page["encode"](content, codebooks.arrays()) for content in contents]
        assert codebooks.encode(contents).tolist() == expected


def test_every_kind_of_row_map_is_on_the_page() -> None:
    for row_map in ROW_MAPS.values():
        assert f"\n| `{row_map.kind}` | " in PAGE


@given(
    id=INT64,
    seed=st.integers(0, 2**63 - 1),
    name=st.text("aé/", min_size=1),
)
def test_uniform_initial_values_are_those_of_the_page(
    page: dict[str, Any], id: int, seed: int, name: str
) -> None:
    first, second = Uniform(-0.05, 0.05), Uniform(1.0, 3.0)
    segments = (Segment(2, initializer=first), Segment(3, initializer=second))
    config = TableConfig(name, segments, seed=seed)
    (values,) = initial_values(config, np.array([id]))
    for position, value in enumerate(values):
        chosen = first if position < 2 else second
        random = page["bits"](id, position, name, seed)
        assert value == page["uniform"](chosen.low, chosen.high, random)


def test_every_tensor_and_dtype_is_on_the_page() -> None:
    for name in row_tensors(TableConfig.of("t", 1), 0):
        assert f"| `{name}` |" in PAGE
    for code in DTYPES:
        assert re.search(rf"\b{code}\b", PAGE)
