"""Requests and answers as examples, by what they show."""

from typing import Any

Examples = dict[str, dict[str, Any]]

CHEAP = {"and": [{"field": "price", "lt": 5}, {"field": "country", "eq": "France"}]}
RECOMMENDING: Examples = {
    "by features": {"features": {"customer": 17850, "history": ["85123A"]}, "k": 20},
    "by id, filtered": {"user": 17850, "filter": CHEAP, "with": ["attributes"]},
}
SEARCHING: Examples = {
    "near an item": {"item": "85123A", "k": 5, "exclude": ["22423"]},
    "by a vector": {"vector": [0.25, -1.5, 0.75, 0.5], "with": ["explain"]},
    "by several interests": {
        "vectors": [[0.25, -1.5, 0.75, 0.5], [1, 0, 0, 0]],
        "combine": "quota",
        "diversity": {"lambda": 0.7, "caps": {"category": 3}},
    },
}
UPSERTING: Examples = {
    "by features": {
        "items": [
            {
                "id": "90214A",
                "features": {"description": "RED MUG", "price": 2.95},
                "attributes": {"price": 2.95, "country": ["France"]},
            }
        ]
    },
    "by a vector": {"items": [{"decimal_id": "90214", "vector": [0.25, -1.5, 0.75, 0.5]}]},
}


CANDIDATES: dict[str, Any] = {
    "snapshot_version": "d6cf742a-9b92-4b97-858b-a23dd6440db9:7",
    "index": "items",
    "index_version": "items@d6cf742a:7.0",
    "tower_version": "2026-11",
    "query_version": "2026-11",
    "bridged": False,
    "exact": True,
    "plan": "exact",
    "searched": 3665,
    "filtered": 1200,
    "below": 0,
    "ids": [5717906476446311925, -2643616683728496864],
    "decimal_ids": ["5717906476446311925", "-2643616683728496864"],
    "scores": [0.96, 0.8],
    "names": ["85123A", "22423"],
}
DELETING: Examples = {
    "by name": {"ids": ["90214A"]},
    "by decimal id": {"decimal_ids": ["90214"]},
}
VERSION: Examples = {"a version": {"version": "items@d6cf742a:7.2"}}
NOTHING: Examples = {"nothing more": {}}
