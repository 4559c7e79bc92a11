"""All versions of all indexes, and what happens to them: snapshots, deltas, words, commands."""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from recsys_embed.deltas import Delta
from recsys_embed.errors import ConfigError, SnapshotError
from recsys_embed.retrieval.description import read
from recsys_embed.snapshot import Snapshot
from serving.lookup import LookupService
from serving.retrieval.asked import Ids
from serving.retrieval.bundle import is_same
from serving.retrieval.deleted import Deleted
from serving.retrieval.errors import UnknownIndexError
from serving.retrieval.generation import Generation, open_generation
from serving.retrieval.kept import Kept
from serving.retrieval.moment import Moment, moment_of
from serving.retrieval.spelling import Said
from serving.retrieval.threads import step_back
from serving.retrieval.version import Version, name_of
from serving.retrieval.words import Words

logger = logging.getLogger(__name__)


class Versions:
    """Keeps indexes in step with the tables and with what is said over HTTP.

    Concurrency: any thread may call anything; what changes something waits for what does so
    already, which takes as long as writing to the indexes. `moment` waits for nothing.

    Args:
        bridge_recall: the least validated recall by which a bridge may serve.

    Attributes:
        moment: what a request sees; every change puts a new one in its place.
        refused: why what came last is not served; None if it is.
    """

    def __init__(self, bridge_recall: float) -> None:
        self.moment: Moment = {}
        self.refused: str | None = None
        self._bridge_recall = bridge_recall
        self._lock = threading.RLock()
        self._builder = ThreadPoolExecutor(1, "index-builder", step_back)
        self._newest: Generation | None = None
        self._passed_over: Snapshot | None = None
        self._kept = dict[str, Kept]()
        self._words = dict[str, Words]()
        self._deleted = defaultdict[str, Deleted](Deleted)
        self._by_vector = dict[str, Counter[str]]()  # how many words, by tower version
        self._built = 0  # names versions where no log numbers the commands

    def words(self, index: str) -> Words:
        """Gives what was said of an index's items over HTTP, as of now; waits for nothing."""
        return self._words.get(index, {}).copy()  # in one step, as the interpreter copies a dict

    def all_words(self) -> list[Said]:
        """Gives all that was said of all items; only whoever applies it may ask."""
        return [Said(index, words) for index, words in self._words.items()]

    def kept(self, index: str) -> Kept:
        """Gives the versions of an index.

        Raises:
            UnknownIndexError: if there is none of that name any more.
        """
        if (kept := self._kept.get(index)) is None:
            raise UnknownIndexError(f"there is no index {index!r} any more")
        return kept

    def heed(self, service: LookupService, deltas: Sequence[Delta] = ()) -> None:
        """Takes in tables that are going to be served: those after some deltas, or a snapshot's.

        Args:
            service: of the tables, with the snapshot beneath.
            deltas: on top of the tables before; all behind the snapshot that bring arrays, where
                it is another one than before.

        Raises:
            ConfigError, SnapshotError: if they are the first, and cannot be served.
        """
        with self._lock:
            newest = self._newest
            if newest is None:
                self._begin(service, deltas)
            elif newest.snapshot is service.snapshot:
                self._write(newest, newest.go_on(service, deltas))
            elif _is_of(newest, service):
                assert service.snapshot is not None
                self._write(newest, newest.begin_anew(service.snapshot, service, deltas))
                self.refused = None
            else:
                self._succeed(service, deltas)
            self._publish()

    def _begin(self, service: LookupService, deltas: Sequence[Delta]) -> None:
        generation = self._generation(service, deltas)
        for name, version in self._first_versions(generation).items():
            self._kept[name] = Kept(name)
            version.take(version.make(self._words.get(name, {})), {})
            self._kept[name].activate(version)
        self._newest = generation

    def _generation(self, service: LookupService, deltas: Sequence[Delta]) -> Generation:
        generation = open_generation(service)
        if generation is None:
            assert service.snapshot is not None  # as it was opened
            raise SnapshotError(f"{service.snapshot.path} says nothing about retrieval any more")
        for name in generation.bundle.parts:
            generation.learn(name, deltas)
        return generation

    def _first_versions(self, generation: Generation) -> dict[str, Version]:
        return {
            name: Version(name, name_of(name, generation, 0), generation, is_wanted=True)
            for name in generation.bundle.parts
        }

    def _succeed(self, service: LookupService, deltas: Sequence[Delta]) -> None:
        """Begins to build what follows on the towers that serve; until then they go on."""
        if service.snapshot is self._passed_over:
            return
        try:
            generation = self._generation(service, deltas)
        except (ConfigError, SnapshotError) as error:
            logger.warning("retrieval goes on as before: %s", error)
            self.refused, self._passed_over = str(error), service.snapshot
            return
        versions = self._first_versions(generation)
        for name, version in versions.items():
            kept = self._kept.setdefault(name, Kept(name))
            kept.drop()
            kept.expect(version)
        self._newest, self.refused = generation, None
        self._builder.submit(self._build, list(versions.values()))

    def _build(self, versions: Sequence[Version]) -> None:
        """Builds versions, then has those that are wanted serve, all at once; in a thread."""
        try:
            made = [version.make(self.words(version.index)) for version in versions]
        except Exception as error:
            logger.exception("%s cannot be built", versions[0].name)
            with self._lock:
                self.refused = f"{versions[0].name} cannot be built: {error}"
                for version in filter(self._is_coming, versions):
                    self._kept[version.index].drop()
                self._publish()
            return
        with self._lock:
            is_late = not all(map(self._is_coming, versions))
            for version, live in zip(versions, made, strict=True):
                if is_late:
                    live.close()
                    continue
                version.take(live, self._words.get(version.index, {}))
                if version.is_wanted:
                    self._kept[version.index].activate(version)
            self._leave_out()
            self._publish()

    def _is_coming(self, version: Version) -> bool:
        """Tells whether a version is still wanted, and its index still described."""
        kept = self._kept.get(version.index)
        return kept is not None and kept.coming is version

    def _leave_out(self) -> None:
        """Closes indexes that the newest description has no more, once its others serve."""
        newest = self._newest
        if newest is None or not any(one.generation is newest for one in self._active()):
            return
        for name in self._kept.keys() - newest.bundle.parts.keys():
            for version in self._kept.pop(name):
                version.close()

    def _active(self) -> list[Version]:
        return [kept.active for kept in self._kept.values() if kept.active is not None]

    def apply(self, said: Said, number: int | None) -> int:
        """Does what was said of an index; gives how many of the items were not there before.

        Args:
            number: of the entry of the log that says it, if there is one.

        Raises:
            UnknownIndexError, BuildingError, UnknownVersionError, NothingToRollBackError: for a
                command that cannot be followed.
        """
        with self._lock:
            if said.command:
                self._command(said, number)
                return 0
            words = self._words.setdefault(said.index, {})
            ids = np.fromiter(said.words, np.int64, len(said.words))
            kept = self._kept.get(said.index)
            there = 0
            if kept is not None and kept.active is not None:
                there = int(np.count_nonzero(kept.active.live.vectors_of(ids)[1]))
            self._count(said.index, words, said.words)
            words.update(said.words)
            self._deleted[said.index].heed(said.words)
            for version in kept or ():
                version.write(ids, words)
            return len(ids) - there

    def _count(self, index: str, before: Words, after: Words) -> None:
        counts = self._by_vector.setdefault(index, Counter())
        for id, word in after.items():
            for one, step in ((before.get(id), -1), (word, 1)):
                if one is not None and one.vector is not None and one.features is None:
                    counts[one.tower_version] += step

    def unfit(self, index: str, tower_version: str) -> int:
        """Counts items that came by vectors of other tower versions than this one."""
        counts = self._by_vector.get(index, Counter())
        return counts.total() - counts[tower_version]

    def forget(self) -> None:
        """Forgets all words, since the log that they were in has begun anew."""
        with self._lock:
            words, self._words, self._by_vector = self._words, {}, {}
            for name, before in words.items():
                self._deleted[name].forget()
                ids = np.fromiter(before, np.int64, len(before))
                for version in self._kept.get(name, ()):
                    version.write(ids, {})

    def _command(self, said: Said, number: int | None) -> None:
        kept = self.kept(said.index)
        if said.command == "rebuild":
            assert kept.active is not None  # as it answers
            generation = kept.active.generation
            self._built += 1
            name = name_of(said.index, generation, self._built if number is None else number)
            version = Version(said.index, name, generation)
            kept.expect(version)
            self._builder.submit(self._build, [version])
        elif said.command == "activate":
            self._activate(kept, said.version)
        else:
            kept.activate(kept.check_rollback())
        self._publish()

    def _activate(self, kept: Kept, name: str) -> None:
        coming = kept.coming
        if coming is not None and coming.name == name and not coming.is_built:
            coming.is_wanted = True  # another worker had built its own when it was asked
        else:
            kept.activate(kept.check(name))

    def _write(self, generation: Generation, changed: Mapping[str, Ids]) -> None:
        for name, ids in changed.items():
            for version in self._kept.get(name, ()) if len(ids) else ():
                if version.generation is generation:
                    version.write(ids, self._words.get(name, {}))

    def _publish(self) -> None:
        self.moment = moment_of(self._kept, self._newest, self._bridge_recall, self._deleted)

    def wait(self) -> None:
        """Waits for what is being built, as seen from now."""
        self._builder.submit(lambda: None).result()

    def close(self) -> None:
        """Ends all that goes on in the background."""
        self._builder.shutdown(cancel_futures=True)
        for kept in self._kept.values():
            for version in kept:
                version.close()


def _is_of(newest: Generation, service: LookupService) -> bool:
    """Tells whether a snapshot brings the very towers and indexes of a generation."""
    snapshot, told = service.snapshot, newest.bundle.told
    assert snapshot is not None
    try:
        return read(snapshot.extra) == told and is_same(told, newest.snapshot.dense, snapshot.dense)
    except ConfigError:
        return False
