"""Retrieval as a server has it: asked by requests, fed by snapshots, deltas and writes."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from recsys_embed.delta_log import DeltaLog
from recsys_embed.deltas import Delta
from recsys_embed.errors import RecsysEmbedError
from serving.lookup import LookupService
from serving.retrieval import answering
from serving.retrieval.asked import Ask, Candidates, IndexInfo, ItemWrite, VersionInfo, Written
from serving.retrieval.errors import NotDurableError
from serving.retrieval.items_log import Done, ItemsLog
from serving.retrieval.moment import Moment, Serving, serving_of
from serving.retrieval.searching import Prepared, search
from serving.retrieval.shadow import Shadow
from serving.retrieval.spelling import Said
from serving.retrieval.threads import search_pool
from serving.retrieval.versions import Versions
from serving.retrieval.words import DELETED
from serving.retrieval.words_of import ids_array, words_of


@dataclass(frozen=True)
class Options:
    """How retrieval is served.

    Args:
        threads: that search; one a core if None.
        shadow_share: of searches that are searched exactly as well, in the background.
        bridge_recall: the least validated recall by which a bridge between towers may serve.
        is_alone: whether no other worker answers for this server.
    """

    threads: int | None = None
    shadow_share: float = 0.001
    bridge_recall: float = 0.9
    is_alone: bool = True


class Retriever:
    """Finds candidates; what one answer says is all from one moment.

    Concurrency: any thread may call anything. Searches wait for nothing but a core; writes wait for
    each other and, where there is one, for the log of items.

    Args:
        service: of the first tables, with the snapshot that says how to retrieve.
        deltas: that they are behind that snapshot, as far as those bring arrays.
        items: where writes are kept; in this process alone if None.

    Raises:
        ConfigError, SnapshotError: if what the snapshot says cannot be served; names why.
        DeltaLogError: if the log of items cannot be read.

    Attributes:
        pool: threads for searches and towers, each of which takes one core.
    """

    def __init__(
        self,
        service: LookupService,
        deltas: Sequence[Delta] = (),
        options: Options | None = None,
        items: DeltaLog | None = None,
    ) -> None:
        self._options = options or Options()
        self._versions = Versions(self._options.bridge_recall)
        self._items: ItemsLog | None = None
        if items is not None:
            self._items = ItemsLog(items, self._versions)
        try:
            if self._items is not None:
                self._items.replay()
            self._versions.heed(service, deltas)
        except BaseException:
            if self._items is not None:
                self._items.stop()
            self._versions.close()
            raise
        self._shadow = Shadow(self._options.shadow_share)
        self.pool = search_pool(self._options.threads or len(os.sched_getaffinity(0)))
        if self._items is not None:
            self._items.start()

    def heed(self, service: LookupService, deltas: Sequence[Delta] = ()) -> None:
        """Takes in tables that are about to be served; see `Versions.heed`."""
        self._versions.heed(service, deltas)

    def recommend(self, ask: Ask) -> Candidates:
        """Finds candidates for a user; see `search`."""
        return self.search(ask)

    def search(self, ask: Ask) -> Candidates:
        """Finds the K best items, fewer where fewer fit.

        Raises:
            UnknownIndexError, UnknownItemError, UnknownUserError: for names that lead nowhere.
            AskError, NoTowerError, NoRelevanceError: for what this index cannot be asked.
            FeatureError, FilterError: for features or filters that do not fit.
            VersionMismatchError: for vectors of another tower version.
        """
        return self._answer([answering.prepare(self._versions.moment, ask)])[0]

    def search_many(self, asks: Sequence[Ask]) -> list[Candidates]:
        """Answers questions from one moment, all of them or none; those alike in one search.

        Raises:
            RecsysEmbedError: as `search`; of several questions it says which, `searches.3: …`.
        """
        moment = self._versions.moment
        if len(asks) == 1:
            return [self.search(asks[0])]
        return self._answer([_prepare(moment, ask, at) for at, ask in enumerate(asks)])

    def _answer(self, prepared: Sequence[Prepared]) -> list[Candidates]:
        found = search(prepared)
        for one in found:
            self._shadow.offer(one)
        return [answering.answer(one) for one in found]

    def upsert(
        self, index: str | None, items: Sequence[ItemWrite], tower_version: str | None = None
    ) -> Written:
        """Puts items into an index; every search that begins after it returns finds them.

        Args:
            index: its name; the one there is if None.
            items: of an item that comes twice, the last counts.
            tower_version: of the vectors; that of the index if None.

        Raises:
            UnknownIndexError: if there is no such index.
            VersionMismatchError: for vectors of another tower version.
            AskError, NoTowerError, FeatureError, AttributesError: for an item that cannot be; says
                which. Nothing is written then.
            NotDurableError: where workers could not agree on it.
            LogUnavailableError: if it cannot be made durable now.
        """
        self._refuse_unshared()
        serving = self._serving(index)
        ids, words = words_of(serving, items, tower_version)
        done = self._say(Said(serving.version.index, words))
        return self._written(serving.version.index, ids, 0, done)

    def delete(self, index: str | None, ids: Sequence[int]) -> Written:
        """Deletes items; no search that begins after it returns finds one, until it is upserted.

        Raises:
            UnknownIndexError, AskError, NotDurableError, LogUnavailableError: as `upsert`.
        """
        self._refuse_unshared()
        name = self._serving(index).version.index
        words = dict.fromkeys(ids_array(ids).tolist(), DELETED)
        done = self._say(Said(name, words))
        return self._written(name, ids, done.missing, done)

    def _written(self, index: str, ids: Sequence[int], missing: int, done: Done) -> Written:
        version = self._serving(index).version.name
        return Written(tuple(ids), missing, version, self._items is not None, done.number)

    def _say(self, said: Said) -> Done:
        if self._items is not None:
            return self._items.say(said)
        return Done(None, self._versions.apply(said, None))

    def _refuse_unshared(self) -> None:
        if self._items is None and not self._options.is_alone:
            raise NotDurableError(
                "this server has several workers and no log by which they could agree on writes;"
                " start it with --items LOG, or with one worker"
            )

    def _serving(self, index: str | None) -> Serving:
        return serving_of(self._versions.moment, index)

    def indexes(self) -> list[str]:
        """Names the indexes."""
        return sorted(self._versions.moment)

    def stats(self, index: str) -> IndexInfo:
        """Says how an index stands.

        Raises:
            UnknownIndexError: if there is none of that name.
        """
        serving = self._serving(index)
        version, parts, told = serving.version, serving.parts, serving.parts.told
        recall = version.recall.estimate
        is_refused = self._items is None and not self._options.is_alone
        return IndexInfo(
            name=version.index,
            version=version.name,
            tower_version=version.tower_version,
            versions=tuple(self._versions.kept(version.index).infos()),
            metric=told.metric,
            dim=parts.dim,
            attributes=dict(told.attributes),
            user_tower=told.user_tower is not None,
            item_tower=told.item_tower is not None,
            users=told.users is not None,
            relations=tuple(told.relations),
            relevance=parts.adapter is not None,
            bridged_from=None if serving.bridge is None else serving.bundle.tower_version,
            unfit=self._versions.unfit(version.index, version.tower_version),
            durable=None if is_refused else self._items is not None,
            recall=recall.recall,
            recall_queries=recall.queries,
            stats=asdict(version.live.stats()),
            refused=self._versions.refused,
        )

    def rebuild(self, index: str) -> VersionInfo:
        """Begins to build the index anew, beside the one that answers.

        Raises:
            UnknownIndexError: if there is none of that name.
            BuildingError: while one is being built.
            NotDurableError, LogUnavailableError: as `upsert`.
        """
        self._command(index, "rebuild")
        return self._versions.kept(index).infos()[0]

    def activate(self, index: str, version: str | None = None) -> IndexInfo:
        """Has another version answer: the one that was built, or the one of that name.

        Raises:
            UnknownIndexError, UnknownVersionError: if there is none of that name.
            BuildingError: if it is not built yet.
            NotDurableError, LogUnavailableError: as `upsert`.
        """
        self._serving(index)
        chosen = self._versions.kept(index).check(version)
        self._command(index, "activate", chosen.name)
        return self.stats(index)

    def rollback(self, index: str) -> IndexInfo:
        """Has the version before answer again.

        Raises:
            UnknownIndexError: if there is none of that name.
            NothingToRollBackError: if there was no version before.
            NotDurableError, LogUnavailableError: as `upsert`.
        """
        self._serving(index)
        self._versions.kept(index).check_rollback()
        self._command(index, "rollback")
        return self.stats(index)

    def _command(self, index: str, command: str, version: str = "") -> None:
        self._refuse_unshared()
        self._say(Said(self._serving(index).version.index, {}, command, version))

    def wait(self) -> None:
        """Waits for what is being built, and for what is being measured."""
        self._versions.wait()
        self._shadow.wait()

    def close(self) -> None:
        """Ends all that goes on in the background; writes under way are made durable first."""
        if self._items is not None:
            self._items.stop()
        self.pool.shutdown(cancel_futures=True)
        self._shadow.close()
        self._versions.close()


def _prepare(moment: Moment, ask: Ask, at: int) -> Prepared:
    try:
        return answering.prepare(moment, ask)
    except RecsysEmbedError as error:
        raise type(error)(f"searches.{at}: {error}") from None
