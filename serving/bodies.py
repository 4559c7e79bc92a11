"""Request bodies as bytes: how they are written, and no more of them in memory than is allowed."""

from functools import lru_cache
from typing import Literal

from starlette.requests import ClientDisconnect, Request

from recsys_embed.errors import RecsysEmbedError
from serving.formats import JSON, RAW


class BodyTooLargeError(RecsysEmbedError):
    """A body with more bytes than the server's `max_body_bytes`."""


class UnsupportedContentError(RecsysEmbedError):
    """A body in a content type or encoding that the route does not read."""


def header(request: Request, name: bytes) -> bytes:
    """Joins all lines of a header (RFC 9110, 5.3); empty if there is none."""
    return b", ".join([value for key, value in request.scope["headers"] if key == name])


def content_of(request: Request) -> Literal["json", "raw"]:
    """Says how the body is written, by its headers alone.

    Raises:
        UnsupportedContentError: for any other content type, charset or encoding.
    """
    encoding = header(request, b"content-encoding")
    if encoding not in (b"", b"identity"):
        raise UnsupportedContentError(
            f"expected a body without Content-Encoding, got {encoding.decode('latin-1')!r}"
        )
    return _content_of(header(request, b"content-type"))


@lru_cache(maxsize=256)
def _content_of(content_type: bytes) -> Literal["json", "raw"]:
    essence, _, parameters = content_type.decode("latin-1").lower().replace(" ", "").partition(";")
    if essence == JSON and parameters.replace('"', "") in ("", "charset=utf-8"):
        return "json"
    if essence == RAW:
        return "raw"
    got = repr(content_type.decode("latin-1")) if content_type else "none"
    raise UnsupportedContentError(f"expected Content-Type {JSON} in UTF-8 or {RAW}, got {got}")


async def read_body(request: Request, limit: int) -> bytes:
    """Reads the whole body, at most `limit` bytes of it into memory.

    Raises:
        BodyTooLargeError: as soon as the declared or the received length passes `limit`.
        ClientDisconnect: if the client went away first.
    """
    declared = header(request, b"content-length")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLargeError(f"a body may have {limit} bytes, this one declares {int(declared)}")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise BodyTooLargeError(f"a body may have {limit} bytes, this one has more")
        if not message.get("more_body", False):
            return b"".join(chunks)
