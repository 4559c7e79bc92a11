"""Every error this library raises on purpose is a `RecsysEmbedError`."""


class RecsysEmbedError(Exception):
    """The root of the errors below; catching it catches all of them."""


class ConfigError(RecsysEmbedError, ValueError):
    """A configuration that cannot be built: names the field, what was expected and what came."""


class InputError(RecsysEmbedError, ValueError):
    """An argument that a call refuses before anything is changed."""


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
