"""The demo's chapter on retrieval: towers trained, asked over HTTP, products that come and go."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from recsys_embed.errors import RecsysEmbedError
from training.folder import clear
from training.retrieval.towers.config import load_retrieval
from training.retrieval.towers.figures import Figures
from training.retrieval.towers.progress import Shown
from training.retrieval.towers.running import run
from training.retrieval.towers.shop import Shop, open_shop
from training.served import Served

CONFIG = Path("configs/online-retail/retrieval.toml")
BRIEF = ("baselines=['popular']",)
LIKES = "LUNCH BAG"  # what the customer of the story buys more than others do
PRODUCT = {"item": "LUNCH BAG PURPLE DRAGONS", "words": "LUNCH BAG PURPLE DRAGONS", "price": 1.65}
COUNTRY = "France"
DEAR = 2.0  # pounds
K = 5
REMEMBERED = 50
MANY = 1000  # as many as the server gives at once


def tell_retrieval(console: Console, output: Path, config: Path = CONFIG) -> None:
    """Trains towers, serves them, and asks for what a customer will want.

    Raises:
        RecsysEmbedError: if a product is not found that is there, or found that is not.
    """
    console.print()
    console.rule("9  Two towers: what will this customer want next?", align="left")
    clear(output / "towers")
    shutil.rmtree(output / "items", ignore_errors=True)
    chosen = load_retrieval(config, BRIEF)
    with Shown(console, chosen) as shown:
        figures = run(chosen, output / "towers", hears=shown)
    _tell_figures(console, figures)
    features = customer(open_shop(chosen), LIKES)
    what = ("--snapshot", output / "towers" / "snapshot", "--items", output / "items")
    with Served(*what) as served:
        console.print(f"recsys-serve --snapshot … --items … answers at {served.url}")
        _tell_wishes(console, served, features)
        _tell_product(console, served, features)
    with Served(*what) as served:
        _refuse(place_of(served, features) is not None, "is found again after a restart")
        console.print("Started anew, the server still knows that it is gone.")


def customer(shop: Shop, likes: str) -> dict[str, Any]:
    """Gives the features of the customer whose last items have these words in most of their names.

    Of those who bought as many as are remembered, if there are any.
    """
    names, baskets = shop.catalogue.names, shop.baskets
    bought: dict[int, list[str]] = {}
    for basket, user in enumerate(baskets.users.tolist()):
        items = baskets.items.values[slice(*baskets.items.offsets[basket : basket + 2])]
        bought.setdefault(user, []).extend(names[item] for item in items.tolist())
    last = {user: items[-REMEMBERED:] for user, items in bought.items()}
    user = max(last, key=lambda user: (len(last[user]), sum(likes in one for one in last[user])))
    basket = int(np.flatnonzero(baskets.users == user)[-1])
    known = {"customer": user, "history": last[user]}
    known |= {"country": baskets.lines["country"][basket]}
    return {name: value for name, value in known.items() if name in shop.user.features}


def place_of(served: Served, features: dict[str, Any]) -> int | None:
    """Gives the place of the new product among all that the customer is recommended, from 1."""
    answer = served.post("/v1/recommend", {"features": features, "k": MANY})
    names = answer["names"]
    return names.index(PRODUCT["item"]) + 1 if PRODUCT["item"] in names else None


def _tell_figures(console: Console, figures: Figures) -> None:
    table = Table()
    for k, name in enumerate(("test part", "Recall@20", "Recall@100", "NDCG@100")):
        table.add_column(name, justify="right" if k else "left")
    for name, by_k in figures.test.items():
        found = (by_k[20].all.recall, by_k[100].all.recall, by_k[100].all.ndcg)
        table.add_row(name, *(f"{figure:.4f}" for figure in found))
    console.print(table)


def _tell_wishes(console: Console, served: Served, features: dict[str, Any]) -> None:
    console.print(
        f"POST /v1/recommend: customer {features['customer']}, who bought"
        f" {', '.join(features['history'][-3:])}, …",
        soft_wrap=True,
    )
    wish = {"features": features, "k": K, "exclude_seen": True, "with": ["attributes"]}
    console.print(_listed(served.post("/v1/recommend", wish)))
    test = [{"field": "price", "lt": DEAR}, {"field": "countries", "eq": COUNTRY}]
    console.print(f"the same below £{DEAR:.2f}, and only what is sold in {COUNTRY}:")
    answer = served.post("/v1/recommend", {**wish, "filter": {"and": test}})
    for one in answer["attributes"]:
        _refuse(one["price"] >= DEAR or COUNTRY not in one["countries"], "passes the filter")
    console.print(_listed(answer))
    console.print(f"{answer['filtered']:,} of {answer['searched']:,} products were kept out.")


def _tell_product(console: Console, served: Served, features: dict[str, Any]) -> None:
    new = {"features": PRODUCT, "attributes": {"name": PRODUCT["item"], "price": PRODUCT["price"]}}
    told = served.post("/v1/indexes/items/items:upsert", {"items": [new]})
    place = place_of(served, features)
    _refuse(place is None, "is not found")
    console.print(
        f"A product that nobody ever sold, by description and price: {PRODUCT['item']}. Durable:"
        f" {told['durable']}. The very next request has it, at place {place} for this customer.",
        soft_wrap=True,
    )
    near = served.post("/v1/indexes/items/search", {"item": PRODUCT["item"], "k": K})
    console.print(f"nearest to it: {', '.join(map(str, near['names']))}", soft_wrap=True)
    served.post("/v1/indexes/items/items:delete", {"ids": [PRODUCT["item"]]})
    _refuse(place_of(served, features) is not None, "is found after it was deleted")
    console.print("Deleted, the very next request does not have it.")


def _listed(answer: dict[str, Any]) -> Table:
    table = Table()
    for k, name in enumerate(("product", "price", "score", "probability")):
        table.add_column(name, justify="right" if k else "left")
    columns = (answer[name] for name in ("names", "attributes", "scores", "probabilities"))
    for name, attributes, score, probability in zip(*columns, strict=True):
        table.add_row(name, f"{attributes['price']:.2f}", f"{score:.3f}", f"{probability:.3f}")
    return table


def _refuse(is_wrong: bool, what: str) -> None:
    if is_wrong:
        raise RecsysEmbedError(f"a product {what}")
