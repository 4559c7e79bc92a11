"""The service answers as a dict would, whatever the transport."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed.errors import InputError
from serving.asked import Query
from serving.lookup import LookupService, MissingIdsError, UnknownTableError
from tests.serving.fakes import INITIAL, VERSION, service_of, table_of
from tests.serving.planted import GREATEST, LEAST, Planted

IDS = st.lists(st.integers(LEAST, GREATEST) | st.sampled_from([1, 2, 3]), max_size=20)
TABLE = table_of("item", 4, [1, 2, 3])


def as_ids(asked: list[int]) -> np.ndarray:
    return np.array(asked, np.int64)


@given(asked=IDS)
def test_every_id_gets_its_own_row_or_the_initial_value_in_the_order_asked(
    asked: list[int],
) -> None:
    answer = service_of(TABLE).lookup(Query("item", as_ids(asked)))
    assert answer.values.shape == (len(asked), 4)
    for one, vector, found in zip(asked, answer.values, answer.found, strict=True):
        np.testing.assert_array_equal(vector, TABLE.vectors.get(one, np.full(4, INITIAL)))
        assert found == (one in TABLE.vectors)


@given(asked=IDS)
def test_the_snapshot_answers_as_its_table_does(planted: Planted, asked: list[int]) -> None:
    service = LookupService.open(planted.path)
    asked = asked + [0, 1]
    answer = service.lookup(Query("item", as_ids(asked)))
    table = planted.tables["item"]
    np.testing.assert_array_equal(answer.values, table.lookup(as_ids(asked)))
    np.testing.assert_array_equal(answer.found, table.contains(as_ids(asked)))


def test_an_error_names_the_first_missing_ids_and_counts_all() -> None:
    asked = [1, *range(100, 150)]
    with pytest.raises(
        MissingIdsError, match="50 of the ids have no row in table 'item'"
    ) as raised:
        service_of(TABLE).lookup(Query("item", as_ids(asked), "error"))
    assert raised.value.ids == list(range(100, 120))
    assert raised.value.count == 50


def test_a_vector_of_another_dimension_is_refused() -> None:
    with pytest.raises(InputError, match="4 dimensions, the vector for missing ids has 3"):
        service_of(TABLE).lookup(Query("item", as_ids([1]), np.zeros(3, np.float32)))


def test_an_unknown_table_is_refused_before_any_is_read() -> None:
    service = service_of(TABLE, table_of("user", 2, []))
    with pytest.raises(UnknownTableError, match="holds item, user; did you mean 'user'"):
        service.lookup_many([Query("item", as_ids([1])), Query("usr", as_ids([1]))])


def test_a_service_names_its_snapshot_and_when_it_was_taken() -> None:
    service = service_of(TABLE)
    assert service.version == VERSION
    assert service.created == 1767323045  # 2026-01-02 03:04:05 UTC
