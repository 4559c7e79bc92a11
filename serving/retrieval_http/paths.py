"""Which routes retrieval has."""

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import BaseRoute

from serving.lean import LeanRoute
from serving.retrieval_http import documentation as docs
from serving.retrieval_http import routes


class IndexNameConvertor(StringConvertor):
    """The name of an index in a path: a colon ends it, as in `items:rebuild`."""

    regex = "[^/:]+"


def retrieval_routes() -> list[BaseRoute]:
    """The routes to indexes; a colon ends the name of one."""
    register_url_convertor("index", IndexNameConvertor())
    of_one = "/v1/indexes/{index:index}"
    return [
        LeanRoute("/v1/recommend", routes.recommend, **docs.RECOMMEND),
        LeanRoute(f"{of_one}/search", routes.search, **docs.SEARCH),
        LeanRoute(f"{of_one}/search:batch", routes.search_batch, **docs.BATCH),
        LeanRoute(f"{of_one}/items:upsert", routes.upsert_items, **docs.UPSERT),
        LeanRoute(f"{of_one}/items:delete", routes.delete_items, **docs.DELETE),
        LeanRoute("/v1/indexes", routes.indexes, **docs.INDEXES),
        LeanRoute(of_one, routes.index, **docs.INDEX),
        LeanRoute(f"{of_one}:rebuild", routes.rebuild, **docs.REBUILD),
        LeanRoute(f"{of_one}:activate", routes.activate, **docs.ACTIVATE),
        LeanRoute(f"{of_one}:rollback", routes.rollback, **docs.ROLLBACK),
    ]
