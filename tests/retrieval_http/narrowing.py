"""The OpenAPI document of a server, narrowed to what its planted snapshot can answer.

A document cannot say how wide an index's vectors are, or which features its towers know. Here it
is said, so that whatever fits the narrowed document must be answered, and the rest refused.
"""

from copy import deepcopy
from typing import Any

Schema = dict[str, Any]
REF = "#/components/schemas/"


def closed(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def either(*schemas: Schema) -> Schema:
    return {"oneOf": list(schemas)}


def picked(schema: Schema, *names: str) -> Schema:
    return {name: deepcopy(schema["properties"][name]) for name in names}


TEXT = {"type": "string", "pattern": "^[A-Za-z0-9 ]{1,12}$"}
ID = {"anyOf": [{"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}, TEXT]}
PRICE = {"type": "number", "minimum": -1000, "maximum": 1000}
COUNTRY = {"enum": ["France", "Japan", "Atlantis"]}


def fields(dim: int) -> Schema:
    """What the planted shop knows: vectors, features, attributes, filters."""
    number = {"type": "number", "minimum": 0.125, "maximum": 100}
    vector = {"type": "array", "items": number, "minItems": dim, "maxItems": dim}
    test = either(
        *(closed({"field": {"const": "price"}, one: PRICE}, "field", one) for one in BOUNDS),
        closed({"field": {"const": "countries"}, "eq": COUNTRY}, "field", "eq"),
        closed({"field": {"const": "countries"}, "in": several(COUNTRY)}, "field", "in"),
        closed({"field": {"enum": ["new", "name"]}, "exists": BOOLEAN}, "field", "exists"),
        closed({"field": {"const": "new"}, "eq": BOOLEAN}, "field", "eq"),
    )
    joined = either(test, closed({"or": several(test)}, "or"), closed({"not": test}, "not"))
    return {
        "vector": vector,
        "user_features": closed({"customer": ID, "country": TEXT, "history": several(ID)}),
        "item_features": closed({"item": TEXT, "words": TEXT, "price": PRICE}, "item"),
        "attributes": closed(
            {"name": TEXT, "price": PRICE, "countries": several(COUNTRY), "new": BOOLEAN}
        ),
        "filter": joined,
    }


BOUNDS = ("eq", "gt", "gte", "lt", "lte")
BOOLEAN = {"type": "boolean"}


def several(items: Schema, least: int = 1) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": 4}


OPTIONS = (
    "exclude", "decimal_exclude", "score_threshold", "with", "parameters", "k", "combine",
)  # fmt: skip
USER, ITEM = {"enum": [1, 7, 40, -1]}, {"enum": ["RED MUG 0", "BLUE MUG 1", "none"]}
DECIMAL = {"type": "string", "pattern": "^-?[0-9]{1,18}$"}


def narrowed(document: Schema, dim: int, tables: list[str]) -> Schema:
    """Gives the document for a shop whose vectors have `dim` numbers, and some tables."""
    document = named(document, ["items"], tables)
    _narrow_paths(document["paths"])
    schemas, shop = document["components"]["schemas"], fields(dim)
    options = picked(schemas["SearchRequest"], *OPTIONS)
    options |= {"filter": shop["filter"], "diversity": _diversity()}
    options |= {"exclude": several(ID, 0), "decimal_exclude": several(DECIMAL, 0)}
    options["k"] |= {"maximum": 20}
    schemas["RecommendRequest"] = either(
        closed({**options, "features": shop["user_features"], "exclude_seen": BOOLEAN}, "features"),
        closed({**options, "user": USER, "index": {"const": "items"}}, "user"),
        closed({**options, "decimal_user": {"enum": ["7", "-1"]}}, "decimal_user"),
    )
    pair = {"type": "array", "items": shop["vector"], "minItems": 2, "maxItems": 2}
    quotas = {
        "k": {"const": 4},
        "combine": {"const": "quota"},
        "quotas": {"enum": [[1, 3], [4, 0]]},
    }
    by_quota = {**options, "vectors": pair, **quotas}
    relation = {"enum": ["similar", "complementary"]}
    schemas["SearchRequest"] = either(
        closed(
            {**options, "vector": shop["vector"], "tower_version": {"enum": ["one", "two"]}},
            "vector",
        ),
        closed({**options, "vectors": pair}, "vectors"),
        closed(by_quota, "vectors", "k", "combine", "quotas"),
        closed({**options, "item": ITEM, "relation": relation}, "item"),
        closed({**options, "decimal_item": DECIMAL}, "decimal_item"),
        closed({**options, "user": USER}, "user"),
    )
    one = either(
        closed({"vector": shop["vector"], "filter": shop["filter"]}, "vector"),
        closed({"item": ITEM, "k": options["k"]}, "item"),
    )
    schemas["BatchRequest"]["properties"]["searches"]["items"] = one
    attributes = {"attributes": shop["attributes"]}
    schemas["ItemToUpsert"] = either(
        closed({"id": ID, "vector": shop["vector"], **attributes}, "id", "vector"),
        closed({"decimal_id": DECIMAL, "vector": shop["vector"]}, "decimal_id", "vector"),
        closed({"features": shop["item_features"], **attributes}, "features"),
    )
    schemas["DeleteRequest"] = either(
        closed({"ids": several(ID)}, "ids"),
        closed({"decimal_ids": several(DECIMAL)}, "decimal_ids"),
    )
    _narrow_lookups(schemas, tables)
    return document


def _diversity() -> Schema:
    caps = closed({"countries": {"enum": [1, 5]}, "price": {"const": 2}})
    balance = {"type": "number", "minimum": 0, "maximum": 1}
    return closed({"lambda": balance, "pool": {"enum": [20, 50]}, "caps": caps})


def named(document: Schema, indexes: list[str], tables: list[str]) -> Schema:
    """Gives the document with the names in its paths that there are, and else as it is."""
    document, known = deepcopy(document), {"index": indexes, "table": tables}
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"enum": known[parameter["name"]]}
    return document


def _narrow_paths(paths: Schema) -> None:
    for path, operations in list(paths.items()):
        for operation in operations.values():
            parameters = [
                one for one in operation.pop("parameters", []) if one["name"] != "feature"
            ]
            operation |= {"parameters": parameters} if parameters else {}
            asked = operation.get("requestBody", {}).get("content", {})
            asked.pop("application/octet-stream", None)
        if path.endswith("/items"):
            del paths[path]  # of tables with semantic IDs, of which a shop has none


def _narrow_lookups(schemas: Schema, tables: list[str]) -> None:
    missing = {"enum": ["initial", "zeros", "error"]}
    for name in ("LookupRequest", "TableLookup"):
        more = {"table": {"enum": tables}} if name == "TableLookup" else {}
        schemas[name] = either(
            closed({"ids": several(ID, 0), "missing": missing, **more}, "ids", *more),
            closed(
                {"decimal_ids": several(DECIMAL, 0), "missing": missing, **more},
                "decimal_ids",
                *more,
            ),
        )
