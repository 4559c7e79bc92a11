"""Accept decides the format by RFC 9110, and numbers survive every format."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.asked import Answer
from serving.formats import (
    ARROW,
    JSON,
    NPY,
    ONE_TABLE,
    RAW,
    NotAcceptableError,
    encode_one,
    negotiate,
)

CHOICES = {
    b"": JSON,
    b"*/*": JSON,
    b"application/*": JSON,
    b"application/json": JSON,
    b"APPLICATION/X-NPY": NPY,
    b"text/html, application/octet-stream;q=0.1": RAW,
    b"application/json;q=0.1, application/x-npy;q=0.9": NPY,
    b"*/*, application/json;q=0": ARROW,
    b"application/*;q=0.2, application/x-npy;q=0.3": NPY,
    b"application/vnd.apache.arrow.stream; q=1.0": ARROW,
    b"application/json;q=0.5;v=1, */*;q=0.4": JSON,
    b"application/octet-stream, application/json": JSON,
}


@pytest.mark.parametrize("accept", CHOICES, ids=[c.decode() or "none" for c in CHOICES])
def test_the_heaviest_format_wins(accept: bytes) -> None:
    assert negotiate(accept, ONE_TABLE) == CHOICES[accept]


@given(accept=st.binary(max_size=60))
def test_no_accept_header_does_more_than_choose_or_refuse(accept: bytes) -> None:
    try:
        assert negotiate(accept, ONE_TABLE) in ONE_TABLE
    except NotAcceptableError as error:
        assert str(error)


def test_json_numbers_read_back_as_the_same_float32() -> None:
    patterns = np.random.default_rng(5).integers(0, 2**32, 200_000, np.uint32).view(np.float32)
    values = patterns[np.isfinite(patterns)][:190_000].reshape(-1, 10)
    ids = np.arange(len(values))
    body = encode_one(Answer("t", ids, values, ids >= 0), "v", JSON).body
    read = np.array(orjson.loads(body)["vectors"], np.float32)
    np.testing.assert_array_equal(read.view(np.uint32), values.view(np.uint32))


def test_json_writes_null_for_a_weight_that_is_not_finite() -> None:
    values = np.array([[np.nan, np.inf, 1.0]], np.float32)
    answer = Answer("t", np.zeros(1, np.int64), values, np.ones(1, np.bool_))
    assert orjson.loads(encode_one(answer, "v", JSON).body)["vectors"] == [[None, None, 1.0]]
