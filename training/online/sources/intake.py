"""Messages from outside become records; what is malformed is counted and said once."""

import warnings
from collections.abc import Collection, Iterable, Mapping

import polars as pl

from recsys_embed.config import near
from recsys_embed.errors import ConfigError
from training.features import Dense, Feature
from training.online.records import refuse_reserved
from training.online.sources.messages import Messages
from training.online.sources.values import OF_POLARS, TYPES


class MalformedRecordWarning(UserWarning):
    """A source passed over a message that is no record; further ones are only counted."""


class Intake:
    """Makes records of the messages of one source.

    Args:
        columns: of the records, with their types.
        features: what a model is given; their columns must be there.
        dense: as well.
        derived: but these, which are made of the others later.
        where: how the warning names the source.

    Raises:
        ConfigError: if a column lacks.
    """

    def __init__(
        self,
        columns: Mapping[str, str],
        features: Mapping[str, Feature],
        dense: Dense,
        derived: Collection[str],
        where: str,
    ) -> None:
        needed = {c: f"features.{n}" for n, f in features.items() for c in f.columns_of(n)}
        for name, of in (needed | dict.fromkeys(dense.columns, "dense.columns")).items():
            if name not in columns and name not in derived:
                raise ConfigError(
                    f"{of} asks for column {name!r}, which source.columns lacks;"
                    f" {near(name, list(columns))}"
                )
        self._messages, self._where = Messages(columns), where
        self.malformed = 0

    def records(self, messages: Iterable[bytes | None]) -> pl.DataFrame:
        """Gives the records among messages, in order."""
        records, complaints = self._messages.records(messages)
        if complaints and not self.malformed:
            warnings.warn(
                f"{self._where}: passed over what is no record: {complaints[0]}; from now on such"
                " messages are only counted",
                MalformedRecordWarning,
                stacklevel=2,
            )
        self.malformed += len(complaints)
        return records


def check_columns(columns: Mapping[str, str]) -> None:
    """Checks the columns of a source's config.

    Raises:
        ConfigError: for a type that there is not, or a name that every record uses.
    """
    refuse_reserved(columns, "source.columns")
    for name, type in columns.items():
        if type not in TYPES:
            raise ConfigError(
                f"source.columns.{name} must be one of {', '.join(OF_POLARS)}, or a list of one,"
                f" like list[str], got {type!r}"
            )
