"""What retrieval refuses, by name; each sentence says what to do instead."""

from recsys_embed.errors import InputError, RecsysEmbedError


class AskError(InputError):
    """A question that cannot be answered whatever the index holds: K of 0, NaN, a wrong width."""


class NoRelevanceError(InputError):
    """A wish for probabilities from an index that has no relevance adapter."""


class NoTowerError(InputError):
    """Features for an index without the tower that takes them."""


class UnknownIndexError(RecsysEmbedError):
    """An index that is not there, or none named where there are several."""


class UnknownItemError(RecsysEmbedError):
    """An item without a vector where one is the query."""


class UnknownUserError(RecsysEmbedError):
    """A user without a vector."""


class UnknownVersionError(RecsysEmbedError):
    """A version of an index that is not kept."""


class VersionMismatchError(RecsysEmbedError):
    """Vectors of one tower version for an index of another, with no validated bridge between."""


class NotDurableError(RecsysEmbedError):
    """A write to a server whose workers could not agree on it: several, and no log of items."""


class BusyError(RecsysEmbedError):
    """A write while too many others wait already."""


class BuildingError(RecsysEmbedError):
    """A wish for a version while the one before it is being built."""


class NothingToRollBackError(RecsysEmbedError):
    """A wish for the version before, where none is kept."""
