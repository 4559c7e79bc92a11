"""Parameters of an engine, chosen by measurement."""

import logging
from collections.abc import Sequence

import numpy as np

from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.protocol import Engine, Floats, Mask, Reach
from recsys_embed.index.measuring import Goal, Sample, Trial, costs_of, smallest
from recsys_embed.index.tuning import Costs, Tuning

logger = logging.getLogger(__name__)
MOST_QUERIES = 256
FILTER_QUERIES = 48  # scoring all that a filter admits takes longer than scoring all
SHARES = (0.5, 0.1)  # that the measured filters admit; with less, scoring what matches is faster
SPREADS = tuple(0.6 * 1.2**i for i in range(10))


def tuned(engine: Engine, sample: Sample, on: str, config: IndexConfig) -> tuple[Engine, Tuning]:
    """Chooses an engine's parameters: the fastest that reach the target on these queries.

    The mean recall less its standard error must reach it, so that other queries like these do too.
    Searches with a filter shall miss a third as many: filters differ more than queries do, and
    those that will be asked are not known.

    Args:
        engine: over the slots of the sample.
        sample: the first `MOST_QUERIES` are used.
        on: what its queries are: queries or items.
        config: of the index.
    """
    if not len(sample.queries) or not sample.alive.any():
        return engine, Tuning(1.0, on, 1.0, Costs(0.0, 0.0, 0.0, 0.0, 0.0), 0)
    sample = sample._replace(queries=sample.queries[:MOST_QUERIES])
    count = int(np.count_nonzero(sample.alive))
    if engine.is_exact:
        return engine, Tuning(1.0, on, 1.0, costs_of(engine, sample), count)
    rerank, trial = rerank_of(config), Trial(sample)
    steps = smallest_of(engine, [Goal(trial, config.target_recall, -1.0)], rerank)
    parameters = engine.with_steps(steps)
    chosen = _reaching(engine.tuned(parameters, engine.reach), sample, rerank, config)
    recall = float(trial.recalls(chosen, parameters, rerank).mean())
    of_items = float(_trial_of_items(sample, config).recalls(chosen, parameters, rerank).mean())
    costs = costs_of(chosen, sample)
    return chosen, Tuning(recall, on, rerank, costs, count, steps, of_items)


def warn_below_target(engine: Engine, tuning: Tuning, config: IndexConfig) -> None:
    """Logs that an engine finds less than it was asked to, whatever it is asked to visit."""
    if tuning.recall < config.target_recall:
        logger.warning(
            "an index of kind %s and codec %s finds %.3f of the best items of its %s, less than its"
            " target of %.3f; take another codec or kind, or rerank more",
            engine.kind,
            config.codec,
            tuning.recall,
            tuning.on,
            config.target_recall,
        )


def rerank_of(config: IndexConfig) -> float:
    """Gives how many candidates a result are scored again, by what the engine's copy leaves out."""
    if config.rerank is not None:
        return config.rerank
    if config.projected_dim is not None:
        return 3.0
    return 1.5 if config.codec == "int8" else 1.0


def smallest_of(engine: Engine, goals: Sequence[Goal], rerank: float, least: int = 1) -> int:
    """Finds the fewest lists or candidates, at least `least`, that reach all goals.

    Args:
        engine: to search with.
        goals: what to reach.
        rerank: candidates a result that are scored again.
        least: lists or candidates.
    """

    def reaches(steps: int) -> bool:
        asked = engine.with_steps(steps)
        return all(
            goal.trial.reaches(engine, asked, rerank, goal.target, goal.errors) for goal in goals
        )

    return smallest(reaches, engine.most_steps, least)


def _trial_of_items(sample: Sample, config: IndexConfig) -> Trial:
    slots = np.flatnonzero(sample.alive)
    drawn = np.random.default_rng(config.seed).choice(slots, min(len(slots), FILTER_QUERIES))
    return Trial(sample._replace(queries=sample.vectors.take(drawn, axis=0)))


def _reaching(engine: Engine, sample: Sample, rerank: float, config: IndexConfig) -> Engine:
    """Widens the reach until filters of two sorts miss little: a random one, and a half-space.

    A filter on what vectors know of (a category, say) admits items on one side of the space, far
    from some queries; the half-space along a random direction stands for those.
    """
    few = sample._replace(queries=sample.queries[:FILTER_QUERIES])
    random, target = np.random.default_rng(config.seed), 1 - (1 - config.target_recall) / 3
    direction = random.standard_normal((sample.vectors.shape[1],)).astype(np.float32)
    masks = [sample.alive & (random.random(len(sample.alive)) < share) for share in SHARES]
    masks.append(_along(direction, sample, max(SHARES)))
    trials = [Trial(few, mask) for mask in masks if mask.any()]
    for spread in SPREADS:
        wider = engine.tuned(engine.parameters, Reach(spread, 1 - target))
        if all(trial.reaches(wider, Parameters(), rerank, target, -1.0) for trial in trials):
            break
    return wider


def _along(direction: Floats, sample: Sample, share: float) -> Mask:
    """Admits the slots that lie farthest along a direction."""
    far = sample.vectors[: len(sample.alive)] @ direction
    admitted: Mask = sample.alive & (far >= np.quantile(far[sample.alive], 1 - share))
    return admitted
