"""TorchRec configs become ours, and what cannot is refused in a sentence."""

from functools import partial
from typing import Any

import pytest
import torch
from torchrec import EmbeddingBagConfig
from torchrec.modules.embedding_configs import DataType, NoEvictionPolicy

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Budget,
    ConfigError,
    Constant,
    FeatureRule,
    RowwiseAdagrad,
    Segment,
    TableConfig,
    Uniform,
)
from recsys_embed.nn import EmbeddingBagCollection


def config(name: str = "t", **fields: Any) -> EmbeddingBagConfig:
    return EmbeddingBagConfig(name=name, **{"embedding_dim": 4, "num_embeddings": 100, **fields})


def built(*configs: EmbeddingBagConfig, **options: Any) -> list[TableConfig]:
    return [t.config for t in EmbeddingBagCollection(list(configs), **options).tables.values()]


def test_initial_bounds_are_torchrec_s() -> None:
    assert built(config())[0].segments == (Segment(4, RowwiseAdagrad(), Uniform(-0.1, 0.1)),)
    bounded = config(weight_init_min=-0.5, weight_init_max=0.25)
    assert built(bounded)[0].segments[0].initializer == Uniform(-0.5, 0.25)
    filled = config(init_fn=partial(torch.nn.init.uniform_, a=-2.0, b=3.0))
    assert built(filled)[0].segments[0].initializer == Uniform(-2.0, 3.0)


def test_options_of_a_table_come_before_those_of_all() -> None:
    own = {
        "optimizer": Adam(),
        "initializer": Constant(1.0),
        "budget": Budget(max_rows=9),
        "seed": 3,
    }
    first, second = built(
        config("a"), config("b"), optimizer=SGD(), seed=7, table_options={"a": own}
    )
    assert first.segments == (Segment(4, Adam(), Constant(1.0)),)
    assert (first.budget, first.seed) == (Budget(max_rows=9), 3)
    assert (second.segments[0].optimizer, second.seed) == (SGD(), 7)


def test_a_row_may_have_segments_that_sum_to_the_dimension() -> None:
    wide_and_deep = (Segment(1, FTRL(l1=0.1)), Segment(3, Adagrad()))
    assert (
        built(config(), table_options={"t": {"segments": wide_and_deep}})[0].segments
        == wide_and_deep
    )


def test_rules_follow_the_feature_into_every_table_that_serves_it() -> None:
    rule = FeatureRule("x", threshold=3, ttl_s=60)
    tables = (config("a", feature_names=["x", "y"]), config("b", feature_names=["x"]))
    first, second = built(*tables, rules={"x": rule})
    assert first.features == (rule, FeatureRule("y"))
    assert second.features == (rule,)


def test_a_table_without_feature_names_serves_the_feature_of_its_name() -> None:
    given = config("a")
    collection = EmbeddingBagCollection([given])
    assert collection.tables["a"].config.features == (FeatureRule("a"),)
    assert collection.embedding_bag_configs()[0].feature_names == ["a"]
    assert given.feature_names == [], "the caller's config was edited"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"data_type": DataType.FP16}, "'t' must be FP32, got FP16"),
        ({"need_pos": True}, "sets need_pos"),
        ({"num_embeddings_post_pruning": 5}, "sets num_embeddings_post_pruning"),
        ({"virtual_table_eviction_policy": NoEvictionPolicy()}, "given as `rules`"),
        ({"init_fn": torch.nn.init.zeros_}, "'t' has an init_fn"),
    ],
)
def test_what_a_collisionless_table_does_not_do_is_refused(
    fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        built(config(**fields))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rules": {"tt": FeatureRule("tt")}}, "rules has no 'tt'; did you mean 't'"),
        ({"table_options": {"u": {}}}, "table_options has no 'u'"),
        ({"table_options": {"t": {"sead": 1}}}, "'t' has no 'sead'; did you mean 'seed'"),
        ({"table_options": {"t": {"name": "u"}}}, "'t' has no 'name'"),
        ({"table_options": {"t": {"segments": (Segment(3),)}}}, "embedding_dim 4, got 3"),
        (
            {"table_options": {"t": {"segments": (Segment(4),), "optimizer": SGD()}}},
            "instead of beside",
        ),
    ],
)
def test_options_that_fit_nothing_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        built(config(), **options)


def test_an_init_fn_gives_way_to_an_initializer_of_ours() -> None:
    own = {"t": {"initializer": Constant(0.0)}}
    made = built(config(init_fn=torch.nn.init.zeros_), table_options=own)
    assert made[0].segments[0].initializer == Constant(0.0)


@pytest.mark.parametrize("names", [[], ["a", "b", "a"]])
def test_tables_need_distinct_names(names: list[str]) -> None:
    with pytest.raises(ConfigError, match="distinct names"):
        EmbeddingBagCollection([config(name) for name in names])
