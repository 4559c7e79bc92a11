"""A frame becomes events: expressions, order, labels, negatives, crosses and dense columns."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from recsys_embed import ConfigError, InputError, hash_string
from tests.training.test_bags import listed
from training.events import Events, EventsConfig, load_events
from training.features import Dense, Feature
from training.history import History
from training.negatives import Negatives

FRAME = pl.DataFrame(
    {
        "time": [30, 10, 20, 20],
        "who": ["ann", "bob", "ann", None],
        "what": [1, 2, 3, 4],
        "rating": [5, 1, 3, 2],
        "tags": [["x"], ["x", "y"], [], ["y"]],
        "price": [1.0, 3.0, None, -1.0],
    }
)


def events_of(
    features: dict[str, Feature] | None = None, dense: Dense | None = None, **config: Any
) -> Events:
    config = {"label": "rating >= 3", "time": "time", **config}
    return load_events(FRAME, EventsConfig(**config), features or {}, dense or Dense())


def test_events_are_in_time_order_and_moments_keep_the_order_of_the_log() -> None:
    events = events_of({"what": Feature()})
    assert events.times is not None and events.times.tolist() == [10, 20, 20, 30]
    assert listed(events.bags["what"], [0, 1, 2, 3]) == [[2], [3], [4], [1]]
    assert events.labels.tolist() == [0, 1, 0, 1]


def test_without_time_events_stay_as_they_are() -> None:
    events = events_of(time=None)
    assert events.times is None and events.labels.tolist() == [1, 0, 1, 0]


def test_where_comes_before_derive_and_derive_builds_on_itself() -> None:
    derive = {"twice": "what * 2", "bucket": "CAST(FLOOR(twice / 4) AS INT)"}
    events = events_of({"bucket": Feature()}, where="price IS NOT NULL", derive=derive)
    assert listed(events.bags["bucket"], [0, 1, 2]) == [[1], [2], [0]]


def test_a_date_time_becomes_seconds() -> None:
    frame = pl.DataFrame({"at": ["1970-01-02T00:00:05"], "y": [1]}).with_columns(
        pl.col("at").str.to_datetime()
    )
    events = load_events(frame, EventsConfig(label="y", time="at"), {}, Dense())
    assert events.times is not None and events.times.tolist() == [86_405]


def test_a_cross_has_the_id_of_its_joined_values() -> None:
    events = events_of({"pair": Feature(columns=("who", "what"))})
    expected = [[hash_string("bob|2")], [hash_string("ann|3")], [], [hash_string("ann|1")]]
    assert listed(events.bags["pair"], [0, 1, 2, 3]) == expected


def test_a_cross_with_a_list_crosses_each_of_its_values() -> None:
    events = events_of({"pair": Feature(columns=("who", "tags"))})
    expected = [[hash_string("bob|x"), hash_string("bob|y")], [], [], [hash_string("ann|x")]]
    assert listed(events.bags["pair"], [0, 1, 2, 3]) == expected


def test_dense_columns_count_missing_as_zero_and_are_tamed_by_log1p() -> None:
    dense = events_of(dense=Dense(("price", "rating"), "log1p")).dense
    np.testing.assert_allclose(
        dense[:, 0], np.array([np.log(4), 0, -np.log(2), np.log(2)]), rtol=1e-6
    )
    assert dense.shape == (4, 2) and events_of().dense.shape == (4, 0)


def test_negatives_follow_their_event_with_their_own_item_and_its_columns() -> None:
    frame = pl.DataFrame(
        {"time": [0, 86_400], "who": ["a", "b"], "what": [1, 2], "price": [10, 20], "where": [7, 8]}
    )
    features = {name: Feature() for name in ("who", "what", "price", "where")}
    config = EventsConfig(time="time", negatives=Negatives("what", "who", ("price",)))
    events = load_events(frame, config, features, Dense())
    assert events.labels.tolist() == [1, 1, 0]
    assert listed(events.bags["what"], [1, 2]) == [[2], [1]]
    assert listed(events.bags["price"], [1, 2]) == [[20], [10]]
    assert listed(events.bags["who"], [1, 2]) == [[hash_string("b")]] * 2
    assert listed(events.bags["where"], [1, 2]) == [[8], [8]]


def test_a_negative_shares_the_history_of_its_event() -> None:
    frame = pl.DataFrame({"time": [0, 1, 2], "who": [5, 5, 5], "what": [1, 2, 3]})
    config = EventsConfig(
        time="time", negatives=Negatives("what", "who"), history={"recent": History("what", "who")}
    )
    events = load_events(frame, config, {"recent": Feature()}, Dense())
    assert events.labels.tolist() == [1, 1, 0, 1, 0]
    assert events.times is not None and events.times.tolist() == [0, 1, 1, 2, 2]
    assert listed(events.bags["recent"], [0, 1, 2, 3, 4]) == [[], [1], [1], [1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("config", "features", "message"),
    [
        (
            {"label": "ratin >= 3"},
            {},
            r"events.label = 'ratin >= 3' does not work: .*valid columns: .*rating",
        ),
        ({"where": "price >"}, {}, "events.where"),
        ({"derive": {"a": "NOPE(what)"}}, {}, "events.derive.a"),
        (
            {"label": "who"},
            {},
            r"events.label must give true, false or a number .* got String with 1 missing",
        ),
        ({"time": "price"}, {}, "events.time must give a date-time or a number .* 1 missing"),
        ({}, {"wat": Feature()}, "features.wat asks for column 'wat', .* did you mean 'what'"),
        ({}, {"price": Feature()}, "'price' holds Float64"),
    ],
)
def test_what_does_not_fit_is_named(
    config: dict[str, Any], features: dict[str, Feature], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        events_of(features, **config)


def test_columns_that_nobody_uses_are_not_carried_along() -> None:
    frame = load_events(
        FRAME,
        EventsConfig(label="rating > 1"),
        {"what": Feature()},
        Dense(("price",)),
        keep=["who"],
    ).frame
    assert set(frame.columns) == {"what", "price", "who"}


def test_weights_belong_to_one_list() -> None:
    with pytest.raises(ConfigError, match="weights belong to one list column"):
        Feature(columns=("who", "tags"), weights="price")
    with pytest.raises(InputError, match="crosses 2 list columns"):
        events_of({"pair": Feature(columns=("tags", "tags"))})


def test_dense_columns_must_hold_numbers() -> None:
    with pytest.raises(InputError, match="dense column 'who' must hold numbers, got String"):
        events_of(dense=Dense(("who",)))
    with pytest.raises(InputError, match="must hold finite numbers, got inf"):
        load_events(
            pl.DataFrame({"y": [1], "x": [float("inf")]}),
            EventsConfig(label="y"),
            {},
            Dense(("x",)),
        )


def test_labels_come_from_one_place() -> None:
    with pytest.raises(ConfigError, match="got neither"):
        EventsConfig()
    with pytest.raises(ConfigError, match="got both"):
        EventsConfig(label="a", time="t", negatives=Negatives("what", "who"))
    with pytest.raises(ConfigError, match=r"say events\.time"):
        EventsConfig(label="a", history={"h": History("what", "who")})
