"""Which versions of an index there are: the one that answers, the one before, the one to come."""

from collections.abc import Iterator, Sequence

from serving.retrieval.asked import VersionInfo
from serving.retrieval.errors import (
    BuildingError,
    NothingToRollBackError,
    UnknownVersionError,
)
from serving.retrieval.version import Version


class Kept:
    """The versions of one index; one thread changes them at a time.

    Attributes:
        active: that answers; None before the first is built.
        previous: that answered before.
        coming: that is being built, or waits to be activated.
    """

    def __init__(self, index: str) -> None:
        self.index = index
        self.active: Version | None = None
        self.previous: Version | None = None
        self.coming: Version | None = None

    def __iter__(self) -> Iterator[Version]:
        return (one for one in (self.coming, self.active, self.previous) if one is not None)

    def expect(self, version: Version) -> None:
        """Takes up a version that is going to be built.

        Raises:
            BuildingError: while another is being built.
        """
        if self.coming is not None:
            if not self.coming.is_built:
                raise BuildingError(f"{self.coming.name} is being built; wait for it")
            self.coming.close()
        self.coming = version

    def check(self, name: str | None) -> Version:
        """Finds the version to activate: the coming one, or that of a name.

        Raises:
            UnknownVersionError, BuildingError: if it cannot be activated.
        """
        found = [one for one in self if name in (None, one.name)]
        if not found or (name is None and self.coming is None):
            held = ", ".join(one.name for one in self)
            raise UnknownVersionError(
                f"index {self.index!r} has no version {name or 'to activate'}; it has {held}"
            )
        if not found[0].is_built:
            raise BuildingError(f"{found[0].name} is being built; wait until it is ready")
        return found[0]

    def activate(self, version: Version) -> None:
        """Has a version answer from now on; the one that did is the previous one."""
        if version is self.active:
            return
        for one in self:
            if one is self.previous and one is not version:
                one.close()
        if version is self.coming:
            self.coming = None
        self.previous, self.active = self.active, version

    def check_rollback(self) -> Version:
        """Gives the version to go back to.

        Raises:
            NothingToRollBackError: if there is none.
        """
        if self.previous is None:
            raise NothingToRollBackError(f"index {self.index!r} has no version before this one")
        return self.previous

    def drop(self) -> None:
        """Gives up the version that was to come, if there is one."""
        if self.coming is not None:
            self.coming.close()
        self.coming = None

    def infos(self) -> Sequence[VersionInfo]:
        """Describes them, the newest first."""
        listed = list[VersionInfo]()
        for one in self:
            if one is self.active:
                listed.append(one.info("active"))
            elif one is self.previous:
                listed.append(one.info("previous"))
            else:
                listed.append(one.info("ready" if one.is_built else "building"))
        return listed
