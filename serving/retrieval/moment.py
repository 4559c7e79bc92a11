"""What one request sees: for every index its version, the towers that ask it, their tables."""

from collections.abc import Mapping
from typing import NamedTuple

from recsys_embed.config import near
from recsys_embed.retrieval.bridging import Bridging
from serving.lookup import LookupService
from serving.retrieval.asked import Floats
from serving.retrieval.bundle import Bundle, IndexParts
from serving.retrieval.deleted import Deleted
from serving.retrieval.errors import AskError, UnknownIndexError, VersionMismatchError
from serving.retrieval.generation import Generation
from serving.retrieval.kept import Kept
from serving.retrieval.version import Version


class Serving(NamedTuple):
    """An index in service; all of it fits together.

    Args:
        version: that is searched.
        own: the service of its own tables, for queries that are items.
        bundle, service: of the towers that make its queries, and the tables that they read.
        bridge: from those towers to the version's, where they are not the same.
        bridges: validated ones to the version, by the tower version that they come from.
        deleted: items of this index that must not come from another that it leads to either.
    """

    version: Version
    own: LookupService
    bundle: Bundle
    service: LookupService
    bridge: Bridging | None
    bridges: Mapping[str, Bridging]
    deleted: Deleted

    @property
    def parts(self) -> IndexParts:
        """What belongs to the version."""
        return self.version.generation.bundle.parts[self.version.index]

    def carried(self, vectors: Floats, tower_version: str | None) -> tuple[Floats, bool]:
        """Brings query vectors of a tower version to the index's, and says whether it had to.

        Raises:
            VersionMismatchError: if there is no validated bridge between the two.
            AskError: for vectors of another width.
        """
        if tower_version in (None, self.version.tower_version):
            _refuse_other_width(vectors, self.parts.dim, self.version.index)
            return vectors, False
        bridge = self.bridges.get(str(tower_version))
        if bridge is None:
            raise VersionMismatchError(
                f"index {self.version.index!r} holds vectors of tower version"
                f" {self.version.tower_version!r}, the query is of {tower_version!r}; ask with a"
                f" vector of {self.version.tower_version!r}, or with features"
            )
        width = len(bridge.shift) if bridge.matrix is None else len(bridge.matrix)
        _refuse_other_width(vectors, width, self.version.index)
        return bridge.apply(vectors), True


def _refuse_other_width(vectors: Floats, width: int, index: str) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != width or not len(vectors):
        raise AskError(
            f"query vectors of index {index!r} have {width} dimensions, got an array of shape"
            f" {vectors.shape}"
        )


Moment = Mapping[str, Serving]


def moment_of(
    kept: Mapping[str, Kept],
    newest: Generation | None,
    least_recall: float,
    deleted: Mapping[str, Deleted],
) -> Moment:
    """Gives what answers from now on.

    Args:
        kept: versions by index.
        newest: of the towers that came last; where an index of theirs is still being built, they
            ask the old one, if there is a bridge.
        least_recall: validated, of a bridge that may serve.
        deleted: over HTTP, by index.
    """
    return {
        name: _serving(
            one, one.active, newest, _bridges(one, one.active, least_recall), deleted[name]
        )
        for name, one in kept.items()
        if one.active is not None
    }


def _serving(
    kept: Kept,
    version: Version,
    newest: Generation | None,
    bridges: Mapping[str, Bridging],
    deleted: Deleted,
) -> Serving:
    own, coming = version.generation, kept.coming
    is_waiting = newest is not own and coming is not None and coming.generation is newest
    if newest is not None and is_waiting and newest.bundle.tower_version in bridges:
        bridge = bridges[newest.bundle.tower_version]
        return Serving(
            version, own.service, newest.bundle, newest.service, bridge, bridges, deleted
        )
    return Serving(version, own.service, own.bundle, own.service, None, bridges, deleted)


def _bridges(kept: Kept, version: Version, least_recall: float) -> dict[str, Bridging]:
    """Gives the bridges to a version that do well enough, by where they come from."""
    found = dict[str, Bridging]()
    dim = version.generation.bundle.parts[kept.index].dim
    for bundle in (one.generation.bundle for one in kept):
        parts = bundle.parts[kept.index]
        for bridge in parts.told.bridges:
            bridging = parts.bridges[bridge.to]
            fits = bridge.to == version.tower_version and len(bridging.shift) == dim
            if fits and bridge.recall >= least_recall:
                found[bundle.tower_version] = bridging
    return found


def serving_of(moment: Moment, index: str | None) -> Serving:
    """Finds an index by name; the only one if no name is given.

    Raises:
        UnknownIndexError: naming those there are.
    """
    if index is None:
        if len(asked_by_users := [s for s in moment.values() if s.parts.told.user_tower]) == 1:
            return asked_by_users[0]
        if len(moment) == 1:
            return next(iter(moment.values()))
        raise UnknownIndexError(f"name one of the indexes: {', '.join(sorted(moment)) or 'none'}")
    if index not in moment:
        raise UnknownIndexError(f"there is no index {index!r}; {near(index, list(moment))}")
    return moment[index]
