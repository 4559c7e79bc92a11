"""Trained towers as the bundle that a snapshot holds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_embed.retrieval.description import IndexDescription, Relation
from training.retrieval.complementary import Dual
from training.retrieval.export import Bundle, ItemIndex, Vectors
from training.retrieval.export.onnx_file import to_onnx
from training.retrieval.export.parity import check_parity, run_onnx
from training.retrieval.towers.baskets import HISTORY, USER, features_of, users_now
from training.retrieval.towers.bridges import Bridged
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.examples import Examples
from training.retrieval.towers.inputs import column_of
from training.retrieval.towers.model import Side, Towers
from training.retrieval.towers.shop import Shop

ITEMS, SIMILAR, COMPLEMENTARY = "items", "similar", "complementary"
ITEM_VECTORS, USER_VECTORS, INWARD, OUTWARD = "item_vector", "user_vector", "item_in", "item_out"
TUNING_QUERIES = 2000
CHECKED = 1000  # examples on which an ONNX file is held to its tower


def bundle_of(
    config: RetrievalConfig,
    shop: Shop,
    towers: Towers,
    *,
    dual: Dual | None = None,
    relevance: Mapping[str, NDArray[Any]] | None = None,
    bridge: Bridged | None = None,
    until: int | None = None,
) -> Bundle:
    """Puts towers, the vectors of all items and users, and what is known of items together.

    Args:
        config: of the run.
        shop: users come with their last history, items with what they were last sold at.
        towers: as trained.
        dual: vectors of what goes with what; none without.
        relevance: the arrays of an adapter; none without.
        bridge: to an older tower version; none without.
        until: a basket; nothing from it on is known yet. None: all of the log is.

    Raises:
        RecsysEmbedError: if an ONNX file does not give the vectors of its tower to 1e-5.
    """
    towers.eval()
    until = len(shop.baskets.times) if until is None else until
    number = shop.items_before(until)
    known = shop.items.take(np.arange(number))
    items = Vectors(shop.catalogue.ids[:number], towers.item.vectors(known).numpy())
    main = ItemIndex(
        _described(config, shop, relevance is not None, bridge),
        items,
        shop.catalogue.attributes(number, shop.time_of(until)),
        user_vectors(config, shop, towers, until),
        tuning_queries(shop, towers),
        relevance or {},
        {} if bridge is None else {bridge.told.to: bridge.arrays},
    )
    sides = {
        "user": (shop.user, _onnx("user", towers.user, shop.users)),
        "item": (shop.item, _onnx("item", towers.item, shop.items)),
    }
    indexes = {ITEMS: main} if dual is None else _with_relations(main, dual)
    return Bundle(dict(towers.tables.tables), sides, indexes)


def user_vectors(
    config: RetrievalConfig, shop: Shop, towers: Towers, until: int, since: int = 0
) -> Vectors:
    """Gives the vectors of users as they are after their last basket before one.

    With several interests a user's vectors stand one behind the other, (U, interests * D).

    Args:
        config: of the run.
        shop: its data.
        towers: as trained.
        until: a basket; it and those behind it are not known yet.
        since: a basket; users who have none from it on are left out.
    """
    past = shop.baskets.until(until)
    lines = users_now(past, shop.catalogue.ids, config.baskets.history)
    lines = lines.filter(pl.Series(np.isin(lines[USER].to_numpy(), past.users[since:])))
    columns = {feature: column_of(feature, one) for feature, one in config.user.inputs.items()}
    examples = Examples.of(shop.user, features_of(lines, columns))
    vectors = towers.user.vectors(examples).numpy()
    return Vectors(lines[USER].to_numpy(), vectors.reshape(len(vectors), -1))


def tuning_queries(shop: Shop, towers: Towers) -> NDArray[np.float32]:
    """Gives the vectors of the last validation baskets, which are as real queries will be."""
    asked = towers.user.vectors(shop.users.take(shop.parts.validation[-TUNING_QUERIES:]))
    return asked.reshape(-1, asked.shape[-1]).numpy()[-TUNING_QUERIES:]


def _described(
    config: RetrievalConfig, shop: Shop, has_relevance: bool, bridge: Bridged | None
) -> IndexDescription:
    seen = [f for f, one in config.user.inputs.items() if column_of(f, one) == HISTORY]
    return IndexDescription(
        ITEM_VECTORS,
        "cosine",
        user_tower="user",
        item_tower="item",
        users=USER_VECTORS,
        seen=seen[0] if seen else None,
        item=config.item_input,
        name="name" if "name" in config.attributes else None,
        attributes=dict(shop.catalogue.kinds),
        relevance=has_relevance,
        bridges=() if bridge is None else (bridge.told,),
    )


def _with_relations(main: ItemIndex, dual: Dual) -> dict[str, ItemIndex]:
    """Adds the indexes of both vectors, asked by inward ones: in to in, and in to out."""
    relations = {name: Relation(INWARD, name) for name in (SIMILAR, COMPLEMENTARY)}
    told = main.described
    return {
        ITEMS: replace(main, described=replace(told, relations=relations)),
        **{
            name: ItemIndex(
                IndexDescription(
                    table, "inner_product", name=told.name, attributes=told.attributes
                ),
                Vectors(main.items.ids, values[: len(main.items.ids)]),
                main.attributes,
            )
            for name, table, values in (
                (SIMILAR, INWARD, dual.inward),
                (COMPLEMENTARY, OUTWARD, dual.outward),
            )
        },
    }


def _onnx(name: str, side: Side, examples: Examples) -> bytes:
    """Makes the ONNX file of a tower, and holds it to the tower on the last examples."""
    file = to_onnx(side.network, side.tower, side.widths)
    last = examples.take(np.arange(max(0, examples.count - CHECKED), examples.count))
    check_parity(name, side.vectors(last).numpy(), run_onnx(file, side.feed(last)))
    return file
