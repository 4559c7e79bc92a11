"""What is sold from now on: learned as it comes, and told to a log with new and gone items."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.attributes import Schema, arrays_of
from recsys_embed.retrieval.description import array_name
from training.retrieval.evaluation import found
from training.retrieval.frequency import StreamingFrequency
from training.retrieval.towers.best import best_items
from training.retrieval.towers.bundle import ITEM_VECTORS, ITEMS, USER_VECTORS, user_vectors
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.learning import Learner
from training.retrieval.towers.publishing import Entry, Publishing
from training.retrieval.towers.sampling import Sampler
from training.retrieval.towers.shop import Ints, Shop

DAY_S = 86_400


class Lived(NamedTuple):
    """What came of it.

    Args:
        baskets: that were learned.
        entries: of the log.
        recall: mean over the baskets of recall@k, each asked before it was learned.
    """

    baskets: int
    entries: int
    recall: float


class Live:
    """Goes on where training stopped: the networks stay, so that vectors fit; the tables learn.

    Baskets come in the order of time. Each batch is judged, then learned; whenever an entry is due,
    it tells all changed rows, vectors of items that moved, are new, or are sold again, attributes
    of what was sold, vectors of those who bought, and takes items away that are sold no more. The
    vectors of all items are computed for that; those of users whom only an item's row has changed
    for follow with their next basket. One thread.

    Args:
        config: of the run.
        shop: its data.
        learner: who trained the towers.
        publishing: the log; its snapshot is of the moment of basket `begin`.
        begin: the first basket to be learned.
    """

    def __init__(
        self,
        config: RetrievalConfig,
        shop: Shop,
        learner: Learner,
        publishing: Publishing,
        begin: int,
    ) -> None:
        self._config, self._shop, self._learner = config, shop, learner
        self._publishing, self._told, self._begin = publishing, begin, begin
        self._items = publishing.tables[ITEM_VECTORS]
        self._users = publishing.tables[USER_VECTORS]
        self._known = shop.items_before(begin)
        first = shop.catalogue.ids[: self._known]
        self._vectors = self._items.lookup(first)
        self._there = np.ones(self._known, bool)
        self._last = self._last_sales(begin)

    def run(self, hears: Callable[[Entry], None]) -> Lived:
        """Learns all baskets to the end of the log.

        Args:
            hears: is told of each entry.
        """
        config, shop = self._config, self._shop
        rest = np.arange(self._begin, len(shop.baskets.times))
        sampler = self._sampler(rest)
        recalls, entries, due = [], 0, time.monotonic() + config.live.every_s
        for part in self._batches():
            recalls += [self._recall(part)] * len(part)
            pairs = np.flatnonzero(np.isin(sampler.of_basket, part))
            sampler.num_items = shop.items_before(int(part[-1]) + 1)
            self._learner.descend(sampler.batch(pairs))
            if time.monotonic() >= due or part[-1] == rest[-1]:
                hears(self._publish(int(part[-1]) + 1))
                entries, due = entries + 1, time.monotonic() + config.live.every_s
        return Lived(len(rest), entries, float(np.mean(recalls)) if recalls else np.nan)

    def _batches(self) -> Iterator[Ints]:
        """Gives baskets by their numbers; those of one moment, which know the same, together."""
        times, start = self._shop.baskets.times, self._begin
        while start < len(times):
            last = min(start + self._config.live.baskets, len(times)) - 1
            stop = int(np.searchsorted(times, times[last], side="right"))
            yield np.arange(start, stop)
            start = stop

    def _sampler(self, rest: Ints) -> Sampler:
        """Draws from the stream; how often items come is estimated on, from the train part."""
        config, shop = self._config, self._shop
        chances = StreamingFrequency(seed=config.seed)
        chances.update(shop.baskets.pairs(np.arange(self._begin))[1])
        return Sampler(shop.baskets, rest, self._known, config.negatives, config.seed, chances)

    def _recall(self, part: Ints) -> float:
        towers, shop = self._learner.towers, self._shop
        towers.eval()
        known = shop.items.take(np.arange(shop.items_before(int(part[-1]) + 1)))
        users = towers.user.vectors(shop.users.take(part))
        best = best_items(towers.scores, users, towers.item.vectors(known), self._config.k)
        return found(best, np.arange(len(part)), shop.relevant(part)).recall

    def _publish(self, until: int) -> Entry:
        """Tells what is so before basket `until`."""
        shop, config = self._shop, self._config
        new = self._embed(until)
        gone = self._take_away(until)
        users = user_vectors(config, shop, self._learner.towers, until, since=self._told)
        self._users.assign(users.ids, users.values)
        sold = np.unique(shop.baskets.pairs(np.arange(self._told, until))[1])
        self._told = until
        return self._publishing.append(self._attributes(sold, until), new, gone)

    def _embed(self, until: int) -> int:
        """Writes the vectors of items that moved or that came; gives how many came."""
        shop, towers = self._shop, self._learner.towers
        number, before = shop.items_before(until), self._known
        towers.eval()
        vectors = towers.item.vectors(shop.items.take(np.arange(number))).numpy()
        self._last = self._last_sales(until)
        returned = np.zeros(number, bool)
        returned[:before] = ~self._there & self._is_sold(until)[:before]
        moved = np.ones(number, bool)
        apart = np.abs(vectors[:before] - self._vectors).max(axis=1, initial=0)
        moved[:before] = self._there & (apart > self._config.live.tolerance) | returned[:before]
        self._items.assign(shop.catalogue.ids[:number][moved], vectors[moved])
        held = np.concatenate([self._vectors, vectors[before:]])
        held[moved] = vectors[moved]
        there = np.concatenate([self._there, np.ones(number - before, bool)])
        self._vectors, self._there, self._known = held, there | moved, number
        return number - before

    def _take_away(self, until: int) -> int:
        """Takes away the items that are sold no more; gives how many."""
        gone = self._there & ~self._is_sold(until)
        self._items.evict(self._shop.catalogue.ids[: self._known][gone])
        self._there = self._there & ~gone
        return int(gone.sum())

    def _is_sold(self, until: int) -> NDArray[np.bool_]:
        days = self._config.live.gone_days
        if days is None:
            return np.ones(len(self._last), bool)
        recent: NDArray[np.bool_] = self._last > self._shop.baskets.times[until - 1] - days * DAY_S
        return recent

    def _last_sales(self, until: int) -> Ints:
        """Gives the moment of each item's last sale before a basket."""
        baskets, items = self._shop.baskets.pairs(np.arange(until))
        last = np.zeros(self._shop.items_before(until), np.int64)
        np.maximum.at(last, items, self._shop.baskets.times[baskets])
        return last

    def _attributes(self, sold: Ints, until: int) -> dict[str, NDArray[np.generic]]:
        """Spells what is known by now of the items that were sold."""
        catalogue = self._shop.catalogue
        values = catalogue.attributes(until=self._shop.time_of(until))
        chosen = {name: [of[i] for i in sold] for name, of in values.items()}
        spelled = arrays_of(chosen, Schema(catalogue.kinds))
        arrays = {array_name(ITEMS, "attributes", part): array for part, array in spelled.items()}
        return {array_name(ITEMS, "ids"): catalogue.ids[sold], **arrays}
