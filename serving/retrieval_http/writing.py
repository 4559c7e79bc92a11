"""Checked requests to writes."""

import numpy as np

from serving.queries import InvalidRequestError, ids_of, ids_of_decimals, unfit
from serving.retrieval.asked import ItemWrite
from serving.retrieval_http.asking import id_of, refuse_more
from serving.retrieval_http.writes import NAMED, DeleteRequest, ItemToUpsert, UpsertRequest
from serving.settings import Settings


def writes_of(request: UpsertRequest, limits: Settings) -> list[ItemWrite]:
    """Turns a checked request into items to write; what is wrong with one is named by its place.

    Raises:
        InvalidRequestError: for a decimal id outside int64.
        TooManyError: for more items than `max_items`.
    """
    refuse_more("items", len(request.items), limits.max_items)
    return [_write(position, item) for position, item in enumerate(request.items)]


def deleted_of(request: DeleteRequest, limits: Settings) -> list[int]:
    """Turns a checked request into the ids of items to delete.

    Raises:
        InvalidRequestError, TooManyError: as `writes_of`.
    """
    refuse_more("ids", len(request.ids or request.decimal_ids), limits.max_items)
    found = ids_of(request.ids) if request.ids else ids_of_decimals(request.decimal_ids)
    ids: list[int] = found.tolist()
    return ids


def _write(position: int, item: ItemToUpsert) -> ItemWrite:
    by_vector = "vector" in item.model_fields_set
    return ItemWrite(
        _id_of(position, item),
        np.array(item.vector, np.float32) if by_vector else None,
        None if by_vector else item.features,
        item.attributes,
    )


def _id_of(position: int, item: ItemToUpsert) -> int | None:
    if not item.model_fields_set & set(NAMED):
        return None
    try:
        return id_of(item, NAMED)[0]
    except InvalidRequestError as error:
        [what] = error.errors
        raise unfit(f"items.{position}.decimal_id", what["what"]) from None
