"""What the routes of retrieval have in common: who may ask what, and where it is worked out."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from recsys_embed.errors import FilterError
from serving.bodies import UnsupportedContentError, content_of, header, read_body
from serving.formats import JSON, Format, negotiate
from serving.kinds import ReadOnlyError
from serving.queries import InvalidRequestError, parse
from serving.retrieval.asked import Candidates
from serving.retrieval.errors import UnknownIndexError
from serving.routes import service_of
from serving.settings import Settings
from serving.state import State

if TYPE_CHECKING:
    from serving.retrieval.retriever import Retriever

OFFERED: tuple[Format, ...] = (JSON,)
NAME = re.compile(r"^(searches\.[0-9]+: )?where\b")
Model = TypeVar("Model", bound=BaseModel)


def state_of(request: Request) -> State:
    """What the worker holds."""
    state: State = request.scope["serving"]
    return state


def settings_of(request: Request) -> Settings:
    """What the server was told."""
    return state_of(request).settings


def retriever_of(request: Request) -> "Retriever":
    """What answers.

    Raises:
        NotReadyError: before a snapshot is loaded.
        UnknownIndexError: if the snapshot holds no index.
        NotAcceptableError: if the client takes no JSON.
    """
    service_of(request)
    retriever = state_of(request).retriever
    if retriever is None:
        raise UnknownIndexError(
            "this snapshot holds no index; one that training wrote with its towers does"
        )
    negotiate(header(request, b"accept"), OFFERED)
    return retriever


def writable(request: Request) -> "Retriever":
    """What takes writes.

    Raises:
        ReadOnlyError: if the server was told to take none.
        NotReadyError, UnknownIndexError, NotAcceptableError: as `retriever_of`.
    """
    if settings_of(request).read_only:
        raise ReadOnlyError("this server runs with --read-only; write to one that does not")
    return retriever_of(request)


async def read(request: Request, model: type[Model]) -> Model:
    """Reads the body by a schema; no body at all is an empty object.

    Raises:
        UnsupportedContentError, BodyTooLargeError, MalformedBodyError, InvalidRequestError: for a
            body that does not fit.
    """
    if query := request.scope["query_string"].decode("latin-1"):
        raise InvalidRequestError(f"expected all in the body, got query parameters: {query!r}")
    body = await read_body(request, settings_of(request).max_body_bytes)
    if not body and not model.model_fields:
        return model()
    if content_of(request) != "json":
        raise UnsupportedContentError(f"expected Content-Type {JSON}, got raw bytes")
    return parse(model, body)


async def searched(
    request: Request, pool: Executor, search: Callable[[], list[Candidates]]
) -> list[Candidates]:
    """Searches in a thread of the pool, and counts what came of it.

    Raises:
        RecsysEmbedError: what the search does; a filter is called by its name in the request.
    """
    try:
        found = await asyncio.get_running_loop().run_in_executor(pool, search)
    except FilterError as error:
        raise FilterError(NAME.sub(r"\1filter", str(error))) from None
    state_of(request).metrics.searched(found)
    return found
