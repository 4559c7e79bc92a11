"""A run: from its config to a snapshot that a server opens, and figures of how good it is."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch

from recsys_embed import set_num_threads
from recsys_embed.config import to_dict
from recsys_embed.delta_log import DeltaLog
from recsys_embed.retrieval.relevance_fitting import Fitted
from training.folder import Folder
from training.retrieval.complementary import Dual
from training.retrieval.evaluation import Evaluation
from training.retrieval.export import Bundle, write_retrieval
from training.retrieval.towers.baselines import Recommends, factorized, popular
from training.retrieval.towers.bridges import Bridged, bridge_from
from training.retrieval.towers.bundle import ITEMS, bundle_of
from training.retrieval.towers.config import RetrievalConfig
from training.retrieval.towers.figures import Figures, draw_curve, record_of, write_summary
from training.retrieval.towers.judging import chance, judge
from training.retrieval.towers.learning import Progress
from training.retrieval.towers.live import Live
from training.retrieval.towers.publishing import Entry, Publishing
from training.retrieval.towers.related import judge_related, related_items
from training.retrieval.towers.relevance import fit_relevance
from training.retrieval.towers.shop import Shop, open_shop
from training.retrieval.towers.training import TrainedTowers, recommended, train_towers

KS = (20, 100)
RECENT_DAYS = 30
T = TypeVar("T")


class Hears:
    """Is told how a run goes; by default nobody is."""

    def begins(self, what: str) -> None:
        """Hears that something begins."""

    def learns(self, progress: Progress) -> None:
        """Hears how far the towers are."""

    def tells(self, entry: Entry) -> None:
        """Hears of each entry of the log."""


class Learned(NamedTuple):
    """All that a run learns: the towers; what goes with what, what scores mean, and the way to an
    older index, each if it was asked for."""

    towers: TrainedTowers
    dual: Dual | None
    relevance: Fitted | None
    bridge: Bridged | None

    def bundle(self, config: RetrievalConfig, shop: Shop, until: int | None) -> Bundle:
        """Puts it together for a snapshot of what was known before a basket; None: of all."""
        return bundle_of(
            config,
            shop,
            self.towers.towers,
            dual=self.dual,
            relevance=None if self.relevance is None else self.relevance.adapter.arrays(),
            bridge=self.bridge,
            until=until,
        )


class Watch:
    """Measures how many seconds each thing takes, and tells who hears."""

    def __init__(self, hears: Hears) -> None:
        self.seconds: dict[str, float] = {}
        self._hears = hears

    def of(self, what: str, call: Callable[[], T]) -> T:
        """Does something."""
        self._hears.begins(what)
        began = time.monotonic()
        found = call()
        self.seconds[what] = round(time.monotonic() - began, 3)
        return found


def run(
    config: RetrievalConfig,
    output: Path,
    *,
    bridge: Path | None = None,
    log: DeltaLog | None = None,
    overwrite_log: bool = False,
    hears: Hears | None = None,
) -> Figures:
    """Reads, trains, judges and writes, all under `output`; equal configs give equal towers.

    Args:
        config: of the run.
        output: folder for snapshot, metrics, curve and summary; made if absent.
        bridge: an earlier snapshot, whose index the new towers are to ask as well.
        log: to go on behind the train part: the snapshot is what was known by then, and entry 0 of
            this log, which is told what is learned from all later baskets.
        overwrite_log: whether a log that has entries may be begun anew.
        hears: is told how it goes.

    Raises:
        InputError: for data that is not as described, or a folder or log that holds another run.
    """
    folder, hears = Folder(output), hears or Hears()
    watch = Watch(hears)
    set_num_threads(config.train.threads or os.cpu_count() or 1)
    torch.set_num_threads(1)  # sums in the layers may depend on the number
    shop = watch.of("reading", lambda: open_shop(config))
    learned = _learn(config, shop, bridge, watch, hears)
    folder.write_records([record_of(point, config.k) for point in learned.towers.learned.curve])
    draw_curve(folder.curve, learned.towers.learned.curve, config.k)
    test = watch.of("judging", lambda: _judged(config, shop, learned))
    related = watch.of("judging complements", lambda: _related(shop, learned.dual))
    until = None if log is None else len(shop.parts.train)
    bundle = watch.of("exporting", lambda: learned.bundle(config, shop, until))
    if log is None:
        extra = {"config": to_dict(config)}
        snapshot, lived = write_retrieval(folder.snapshot, bundle, extra=extra), None
    else:
        with Publishing(log, folder.snapshot, bundle, config, overwrite_log) as publishing:
            live = Live(config, shop, learned.towers.learner, publishing, len(shop.parts.train))
            snapshot, lived = publishing.snapshot, watch.of("living", lambda: live.run(hears.tells))
    figures = Figures(
        bundle.description.tower_version,
        str(snapshot),
        learned.towers.learned,
        test,
        related,
        chance(shop, shop.parts.test, KS[-1]),
        learned.relevance,
        None if learned.bridge is None else learned.bridge.told,
        lived,
        watch.seconds,
    )
    write_summary(folder.summary, config, figures)
    return figures


def _learn(
    config: RetrievalConfig, shop: Shop, bridge: Path | None, watch: Watch, hears: Hears
) -> Learned:
    trained = watch.of("training", lambda: train_towers(config, shop, hears.learns))
    towers, dual, bridged = trained.towers, None, None
    if config.complementary is not None:
        complementary = config.complementary
        dual = watch.of("complements", lambda: related_items(complementary, shop, config.seed))
    relevance = watch.of("relevance", lambda: fit_relevance(towers, shop))
    if bridge is not None:
        bridged = watch.of("bridging", lambda: bridge_from(bridge, ITEMS, config, shop, towers))
    return Learned(trained, dual, relevance, bridged)


def _judged(
    config: RetrievalConfig, shop: Shop, learned: Learned
) -> dict[str, dict[int, Evaluation]]:
    towers = learned.towers.towers
    makes: dict[str, Callable[[], Recommends]] = {
        "popular": lambda: popular(shop),
        "recent": lambda: popular(shop, RECENT_DAYS),
        "mf-bpr": lambda: factorized(shop, config.dim, config.seed),
    }
    recommenders: dict[str, Recommends] = {
        "two towers": lambda part, k: recommended(towers, shop, part, k)
    }
    if not len(shop.parts.test):
        return {}
    recommenders |= {name: makes[name]() for name in config.baselines}
    return judge(shop, shop.parts.test, KS, recommenders)


def _related(shop: Shop, dual: Dual | None) -> dict[str, Evaluation]:
    if dual is None or not len(shop.parts.test):
        return {}
    return judge_related(shop, dual, shop.parts.test, KS[-1])
