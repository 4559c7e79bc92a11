"""FastAPI as the author of the document, without what it does around each request."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.documentation import ANSWERS, MODELS, REF
from serving.edge import Edge
from serving.formats import JSON
from serving.retrieval_http import documentation as retrieval
from serving.state import State


class LeanRoute(APIRoute):
    """A route documented like any of FastAPI's but called as endpoint(request, **path) at once.

    Solving dependencies and keeping exit stacks for them costs as much as looking up 100 rows.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # raises 405
        answer = await self.endpoint(Request(scope, receive), **scope["path_params"])
        if isinstance(answer, BaseModel):
            answer = Response(answer.model_dump_json(), self.status_code or 200, media_type=JSON)
        await answer(scope, receive, send)


class LeanAPI(FastAPI):
    """FastAPI with nothing but our edge between server and router.

    Its own layers turn exceptions into answers, which the edge does, and close uploads, which
    there are none of.
    """

    def __init__(self, state: State, **described: Any) -> None:
        self.serving = state
        super().__init__(**described)

    def build_middleware_stack(self) -> ASGIApp:
        return Edge(self.router, self.serving)

    def openapi(self) -> dict[str, Any]:
        """The document, with the models that routes read their bodies by."""
        if self.openapi_schema is None:
            document = super().openapi()
            modes: Any = [(model, "validation") for model in (*MODELS, *retrieval.MODELS)]
            modes += [(model, "serialization") for model in (*ANSWERS, *retrieval.ANSWERS)]
            _, extra = models_json_schema(modes, ref_template=REF)
            schemas = document["components"]["schemas"]
            schemas.update(extra["$defs"])
            retrieval.limit(schemas, self.serving.settings)
            _forget_validation_of_fastapi(document)
        return super().openapi()


def _forget_validation_of_fastapi(document: dict[str, Any]) -> None:
    """Removes the 422 that FastAPI promises for every path with a parameter; ours never fails."""
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for operations in document["paths"].values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
