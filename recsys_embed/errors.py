"""Every error this library raises on purpose is a `RecsysEmbedError`."""


class RecsysEmbedError(Exception):
    """The root of the errors below; catching it catches all of them."""


class ConfigError(RecsysEmbedError, ValueError):
    """A configuration that cannot be built: names the field, what was expected and what came."""


class InputError(RecsysEmbedError, ValueError):
    """An argument that a call refuses before anything is changed."""


class AttributesError(InputError):
    """Attributes of items that do not fit their schema."""


class FilterError(InputError):
    """A filter that does not fit the schema, that no item can satisfy, or that is too large."""


class MissingIdError(RecsysEmbedError, KeyError):
    """An id without a row where the caller chose `missing="error"`."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would quote the sentence


class SnapshotError(RecsysEmbedError):
    """A snapshot that cannot be written or read."""


class SnapshotNotFoundError(SnapshotError):
    """No complete snapshot where one was expected."""


class SnapshotCorruptError(SnapshotError):
    """A snapshot whose bytes are not those that were written."""


class SnapshotVersionError(SnapshotError):
    """A snapshot in a format version that this library does not read."""


class DeltaLogError(RecsysEmbedError):
    """A delta log that refuses a call, or entries that must not be applied."""


class LogNotFoundError(DeltaLogError):
    """No delta log where one was expected: never begun, or lost since."""


class LogUnavailableError(DeltaLogError):
    """A delta log that cannot be reached or written just now; the same call may be made again."""


class GapError(DeltaLogError):
    """Entries are missing between what a reader or writer has and what comes."""


class DuplicateEntryError(DeltaLogError):
    """An entry whose number is taken, or came before."""


class DamagedEntryError(DeltaLogError):
    """An entry, or the log's own record, whose bytes are not those that were written."""


class WriterHeldError(DeltaLogError):
    """Another writer holds the log."""


class FencedError(DeltaLogError):
    """A newer writer has taken the log over; this one must stop."""


class ForeignLogError(DeltaLogError):
    """Entries of another lineage than expected: a trainer forked the log."""


class TrimmedError(DeltaLogError):
    """The next entries are gone; a snapshot covers them, and reading goes on behind it.

    Attributes:
        snapshot: where the writer keeps that snapshot, in the writer's words.
        number: the last entry that the snapshot covers.
    """

    def __init__(self, message: str, snapshot: str, number: int) -> None:
        super().__init__(message)
        self.snapshot = snapshot
        self.number = number


class DeltaError(RecsysEmbedError):
    """A delta whose bytes are not those that were written, or that does not follow on a table."""


class SourceError(RecsysEmbedError):
    """A source of records that cannot go on."""


class SourceUnavailableError(SourceError):
    """A source whose server does not answer when it is opened or moved; try again."""


class SourceLostError(SourceError):
    """A source whose next records are gone: trimmed, expired or lost with their server."""


class SpillError(RecsysEmbedError):
    """Waiting records that cannot be put on disk."""
