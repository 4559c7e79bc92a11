"""Configs survive the way to plain values and back, and refuse what they do not know."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Admission,
    Budget,
    Collisionless,
    ConfigError,
    Constant,
    FeatureRule,
    Hashed,
    Normal,
    RowwiseAdagrad,
    Segment,
    TableConfig,
    Uniform,
)
from recsys_embed.config import from_dict, to_dict

SMALL = st.floats(0, 0.9, allow_nan=False)
POSITIVE = st.floats(1e-12, 10)
OPTIMIZERS = st.one_of(
    st.builds(SGD, weight_decay=SMALL),
    st.builds(Adagrad, weight_decay=SMALL, initial_accumulator=SMALL, eps=POSITIVE),
    st.builds(RowwiseAdagrad, weight_decay=SMALL, initial_accumulator=SMALL, eps=POSITIVE),
    st.builds(Adam, weight_decay=SMALL, beta1=SMALL, beta2=SMALL, eps=POSITIVE),
    st.builds(FTRL, weight_decay=SMALL, l1=SMALL, l2=SMALL, beta=SMALL),
)
INITIALIZERS = st.one_of(
    st.builds(Uniform, low=st.floats(-1, 0), high=st.floats(0, 1)),
    st.builds(Normal, mean=st.floats(-1, 1), std=SMALL),
    st.builds(Constant, value=st.floats(-1, 1)),
)
TABLES = st.builds(
    TableConfig,
    name=st.text(min_size=1, max_size=10),
    segments=st.lists(
        st.builds(Segment, st.integers(1, 100), OPTIMIZERS, INITIALIZERS), min_size=1, max_size=3
    ).map(tuple),
    features=st.lists(
        st.builds(
            FeatureRule,
            name=st.text(min_size=1, max_size=5),
            threshold=st.integers(0, 9),
            ttl_s=st.none() | st.integers(1, 10**6),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda rule: rule.name,
    ).map(tuple),
    admission=st.builds(
        Admission,
        kind=st.sampled_from(["exact", "sketch", "probabilistic"]),
        width=st.sampled_from([1, 2, 1 << 20]),
        depth=st.integers(1, 8),
        probability=st.floats(0.01, 1),
    ),
    budget=st.none()
    | st.builds(Budget, max_rows=st.integers(1, 10**9), policy=st.sampled_from(["lru", "lfu"])),
    clock=st.sampled_from(["event", "wall"]),
    row_map=st.just(Collisionless()) | st.builds(Hashed, st.integers(1, 2**32), st.integers(0, 9)),
    seed=st.integers(0, 2**63 - 1),
    sweep_rows=st.integers(0, 10**6),
)


@given(TABLES)
def test_the_way_through_json_and_back_changes_nothing(config):
    plain = json.loads(json.dumps(to_dict(config)))
    again = from_dict(TableConfig, plain)
    assert again == config
    assert type(again.segments[0].optimizer) is type(config.segments[0].optimizer)


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"name": "a", "treshold": 2}, "threshold"),
        ({"name": "a", "threshold": "two"}, "threshold"),
        ({"name": "a", "threshold": 2.5}, "threshold"),
        ({"name": "a", "threshold": True}, "threshold"),
        ({"name": "a", "threshold": -1}, "threshold"),
        ({"name": "a", "ttl_s": 0}, "ttl_s"),
        ({"name": 3}, "name"),
        ({"name": ""}, "name"),
        ({}, "name"),
        ({"name": "a", "kind": "feature"}, "kind"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(plain, words):
    with pytest.raises(ConfigError, match=words) as refusal:
        from_dict(FeatureRule, plain, where="features[0]")
    assert "\n" not in str(refusal.value)


def test_an_unknown_kind_names_those_there_are():
    plain = {"name": "t", "segments": [{"dim": 4, "optimizer": {"kind": "adagard"}}]}
    with pytest.raises(ConfigError, match="adagrad"):
        from_dict(TableConfig, plain)


def test_the_kind_of_another_config_is_refused():
    with pytest.raises(ConfigError, match="kind"):
        from_dict(Adam, {"kind": "sgd"})
    assert from_dict(Adam, {"kind": "adam"}) == Adam()


def test_an_unknown_key_within_is_named_with_its_place():
    plain = {"name": "t", "segments": [{"dim": 4, "optimizer": {"kind": "adam", "beta_1": 0.5}}]}
    with pytest.raises(ConfigError, match=r"segments.*beta_1.*beta1"):
        from_dict(TableConfig, plain)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SGD(weight_decay=-1),
        lambda: Adam(beta1=1.0),
        lambda: Adam(beta2=math.nan),
        lambda: Adagrad(eps=0.0),
        lambda: FTRL(l1=-0.1),
        lambda: RowwiseAdagrad(initial_accumulator=math.inf),
        lambda: Uniform(1.0, 0.0),
        lambda: Normal(std=-1.0),
        lambda: Constant(math.nan),
        lambda: Admission("exakt"),
        lambda: Admission("sketch", width=1000),
        lambda: Admission("probabilistic", probability=0.0),
        lambda: Budget(),
        lambda: Budget(max_rows=1, max_bytes=1),
        lambda: Budget(max_rows=0),
        lambda: Budget(max_rows=1, policy="fifo"),
        lambda: Segment(0),
        lambda: FeatureRule("f", threshold=2**32),
        lambda: TableConfig("", (Segment(1),)),
        lambda: TableConfig("t", ()),
        lambda: TableConfig("t", (Segment(1),), features=()),
        lambda: TableConfig("t", (Segment(1),), features=(FeatureRule("a"), FeatureRule("a"))),
        lambda: TableConfig("t", (Segment(1),), clock="sun"),
        lambda: TableConfig("t", (Segment(1),), seed=-1),
        lambda: TableConfig("t", (Segment(1),), sweep_rows=-1),
    ],
)
def test_a_config_that_cannot_be_is_refused_at_once(build):
    with pytest.raises(ConfigError) as refusal:
        build()
    assert "\n" not in str(refusal.value)


def test_configs_are_frozen():
    with pytest.raises(AttributeError):
        TableConfig.of("t", 3).name = "u"


def test_dim_and_state_width_add_up_over_segments():
    segments = (Segment(1, FTRL()), Segment(16, RowwiseAdagrad()), Segment(4, Adam()))
    config = TableConfig("t", segments)
    assert config.dim == 21
    assert config.state_width == 2 + 1 + 9
