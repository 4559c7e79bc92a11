"""The contract suite runs on the native table and on the reference alike."""

from collections.abc import Callable
from typing import Any

import pytest

from recsys_embed import TableConfig, make_table
from tests.table.making import reference_table


@pytest.fixture(params=[reference_table, make_table], ids=["reference", "native"])
def new_table(request: pytest.FixtureRequest) -> Callable[[TableConfig], Any]:
    """Makes an empty table of a config."""
    return request.param
