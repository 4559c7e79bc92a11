"""Each codec keeps what it promises of every weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from recsys_embed.deltas.codecs import CODECS, decode_weights, encode_weights
from recsys_embed.errors import InputError

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9)
FINITE = arrays(
    np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)
SMALL = arrays(np.float32, SHAPES, elements=st.floats(-65504, 65504, width=32))


def through(codec, weights):
    coded = encode_weights(codec, weights, np.arange(len(weights)))
    assert coded.values.dtype == CODECS[codec] and coded.values.shape == weights.shape
    assert (coded.scales is None) == (codec != "int8")
    decoded = decode_weights(coded)
    assert decoded.dtype == np.float32
    return decoded.astype(np.float64)


@given(weights=arrays(np.uint32, SHAPES))
def test_fp32_keeps_every_bit(weights):
    coded = encode_weights("fp32", weights.view(np.float32), np.arange(len(weights)))
    assert decode_weights(coded).tobytes() == weights.tobytes()


@given(weights=SMALL)
def test_fp16_errs_by_half_a_unit_in_the_last_place(weights):
    error = np.abs(through("fp16", weights) - weights)
    assert (error <= np.abs(weights.astype(np.float64)) / 2**11 + 2.0**-25).all()


@given(weights=FINITE)
def test_int8_errs_by_half_its_scale(weights):
    decoded = through("int8", weights)
    largest = np.abs(weights.astype(np.float64)).max(axis=1, initial=0)
    # float32 rounds scale and product, and has few bits left below 2^-126
    bound = largest / 254 * (1 + 1e-5) + largest * 1e-6 + 1e-43
    assert (np.abs(decoded - weights) <= bound[:, None]).all()


@pytest.mark.parametrize("rows", [4095, 4096, 4097, 9000])
@pytest.mark.parametrize("codec", ["fp16", "int8"])
def test_rows_do_not_depend_on_those_around_them(codec, rows):
    weights = np.random.default_rng(rows).standard_normal((rows, 2), np.float32)
    alone = [through(codec, weights[k : k + 1])[0] for k in (0, 4094, rows - 1)]
    np.testing.assert_array_equal(through(codec, weights)[[0, 4094, rows - 1]], alone)


def test_rows_of_zeros_stay_zeros():
    for codec in CODECS:
        assert not through(codec, np.zeros((3, 4), np.float32)).any()


@pytest.mark.parametrize(
    ("codec", "value"),
    [("fp16", 65520), ("fp16", -1e9), ("fp16", np.nan), ("int8", np.inf), ("int8", np.nan)],
)
def test_what_a_codec_cannot_hold_is_refused_by_id(codec, value):
    weights = np.zeros((5000, 2), np.float32)
    weights[4500, 1] = value
    with pytest.raises(InputError, match=rf"{codec} .* id -4500, .*use fp32"):
        encode_weights(codec, weights, -np.arange(5000))


def test_int8_does_not_wrap_around_where_its_scale_has_few_bits():
    weights = np.uint32([[190, 3]]).view(np.float32)  # multiples of 2^-149, the least of all
    np.testing.assert_allclose(through("int8", weights), weights, rtol=0, atol=1e-43)


def test_int8_holds_the_largest_float():
    largest = np.finfo(np.float32).max
    np.testing.assert_allclose(
        through("int8", np.float32([[largest, -largest]])), [[largest, -largest]], rtol=1e-6
    )
