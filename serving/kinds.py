"""The one table from exception class to HTTP status and code."""

from typing import NamedTuple

from recsys_embed.errors import (
    AttributesError,
    DeltaLogError,
    FilterError,
    InputError,
    RecsysEmbedError,
)
from recsys_embed.retrieval.inputs import FeatureError
from serving.bodies import BodyTooLargeError, UnsupportedContentError
from serving.formats import NotAcceptableError
from serving.lookup import MissingIdsError, UnknownFeatureError, UnknownTableError
from serving.queries import (
    InvalidRequestError,
    MalformedBodyError,
    TooManyError,
    TooManyIdsError,
)
from serving.retrieval import errors as retrieval
from serving.semantic_ids import NoSemanticIdsError


class NotReadyError(RecsysEmbedError):
    """The server has no snapshot yet, or no longer takes requests."""


class ReadOnlyError(RecsysEmbedError):
    """A write to a server that was told to take none."""


class Kind(NamedTuple):
    status: int
    code: str
    title: str


Kinds = dict[type[Exception], Kind]

OF_ALL: Kinds = {
    MalformedBodyError: Kind(400, "malformed_body", "The body cannot be read"),
    NotAcceptableError: Kind(406, "not_acceptable", "No acceptable format"),
    BodyTooLargeError: Kind(413, "body_too_large", "Body too large"),
    UnsupportedContentError: Kind(415, "unsupported_content", "Unsupported content"),
    InvalidRequestError: Kind(422, "invalid_request", "Invalid request"),
    InputError: Kind(422, "invalid_request", "Invalid request"),
    NotReadyError: Kind(503, "not_ready", "Not ready"),
}
OF_TABLES: Kinds = {
    UnknownTableError: Kind(404, "unknown_table", "No such table"),
    UnknownFeatureError: Kind(404, "unknown_feature", "No such feature"),
    MissingIdsError: Kind(404, "missing_ids", "Ids without a row"),
    TooManyIdsError: Kind(413, "too_many_ids", "Too many ids"),
    NoSemanticIdsError: Kind(422, "no_semantic_ids", "The table has no semantic IDs"),
}
OF_INDEXES: Kinds = {
    ReadOnlyError: Kind(403, "read_only", "The server takes no writes"),
    retrieval.UnknownIndexError: Kind(404, "unknown_index", "No such index"),
    retrieval.UnknownItemError: Kind(404, "unknown_item", "No such item"),
    retrieval.UnknownUserError: Kind(404, "unknown_user", "No such user"),
    retrieval.UnknownVersionError: Kind(404, "unknown_version", "No such version of the index"),
    retrieval.VersionMismatchError: Kind(409, "version_mismatch", "Vectors of another tower"),
    retrieval.NotDurableError: Kind(409, "not_durable", "Writes would not be durable"),
    retrieval.BuildingError: Kind(409, "already_building", "A version is being built"),
    retrieval.NothingToRollBackError: Kind(409, "no_previous_version", "Nothing to go back to"),
    TooManyError: Kind(413, "too_many", "Too much in one request"),
    FilterError: Kind(422, "invalid_filter", "Invalid filter"),
    AttributesError: Kind(422, "invalid_attributes", "Invalid attributes"),
    FeatureError: Kind(422, "invalid_features", "Invalid features"),
    retrieval.NoTowerError: Kind(422, "no_tower", "The index has no such tower"),
    retrieval.NoRelevanceError: Kind(422, "no_relevance", "The index gives no probabilities"),
    retrieval.BusyError: Kind(503, "busy", "Too many writes wait"),
    DeltaLogError: Kind(503, "log_unavailable", "The log of items takes no entries"),
}
KINDS: Kinds = {**OF_ALL, **OF_TABLES, **OF_INDEXES}
HTTP_KINDS = {
    404: Kind(404, "not_found", "No such route"),
    405: Kind(405, "method_not_allowed", "Method not allowed"),
}
INTERNAL = Kind(500, "internal", "Internal error")
