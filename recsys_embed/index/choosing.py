"""Parameters of an engine, chosen by measurement."""

import numpy as np
from numpy.typing import NDArray

from recsys_embed.index.config import IndexConfig, Parameters
from recsys_embed.index.engines.protocol import Engine, Mask, Reach
from recsys_embed.index.measuring import Sample, Trial, costs_of, smallest
from recsys_embed.index.tuning import Costs, Tuning

MOST_QUERIES = 256
FILTER_QUERIES = 64  # scoring all that a filter admits takes longer than scoring all
DENSITIES = (1.0, 0.5, 0.1)  # with less, scoring what matches is mostly faster
CLUMP = 0.1  # share that the filter along a direction admits


def tuned(engine: Engine, sample: Sample, on: str, config: IndexConfig) -> tuple[Engine, Tuning]:
    """Chooses an engine's parameters: the fastest that reach the target on these queries.

    The mean recall less its standard error must reach it, so that other queries like these do too.
    Searches with a filter shall miss half as many: filters are asked where each item counts.

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
        return engine, Tuning(1.0, on, 1.0, costs_of(engine, 0, sample), count)
    rerank, trial = rerank_of(config), Trial(sample)
    steps = _steps(engine, trial, rerank, config.target_recall)
    parameters = engine.with_steps(steps)
    chosen = engine.tuned(parameters, _reach(engine, sample, rerank, config))
    recall = float(trial.recalls(chosen, parameters, rerank).mean())
    return chosen, Tuning(recall, on, rerank, costs_of(chosen, steps, sample), count)


def rerank_of(config: IndexConfig) -> float:
    """Gives how many candidates a result are scored again, by what the engine's copy leaves out."""
    if config.rerank is not None:
        return config.rerank
    if config.projected_dim is not None:
        return 3.0
    return 1.5 if config.codec == "int8" else 1.0


def _steps(engine: Engine, trial: Trial, rerank: float, target: float) -> int:
    def reaches(steps: int) -> bool:
        return trial.reaches(engine, engine.with_steps(steps), rerank, target)

    return smallest(reaches, engine.most_steps)


def _reach(engine: Engine, sample: Sample, rerank: float, config: IndexConfig) -> Reach:
    """Finds how many chosen slots must be passed: of random ones, then of ones that lie together.

    A filter on what vectors know of (a category, say) admits items on one side of the space, far
    from some queries; the filter along a random direction stands for those.
    """
    few = sample._replace(queries=sample.queries[:FILTER_QUERIES])
    random = np.random.default_rng(config.seed)
    target = (1 + config.target_recall) / 2
    counts = []
    for density in DENSITIES:
        mask = sample.alive & (random.random(len(sample.alive)) < density)
        steps = _steps(engine, Trial(few, mask), rerank, target) if mask.any() else 1
        passed = steps / engine.most_steps * np.count_nonzero(mask)
        counts.append(max(1.0, float(passed)))
    return _enlarged(engine, Reach(DENSITIES, tuple(counts)), few, rerank, target, random)


def _enlarged(
    engine: Engine,
    reach: Reach,
    sample: Sample,
    rerank: float,
    target: float,
    random: np.random.Generator,
) -> Reach:
    mask = _along(random.standard_normal((sample.vectors.shape[1],)), sample)
    trial, own = Trial(sample, mask), Parameters()
    while reach.counts[0] < len(sample.alive):
        if trial.reaches(engine.tuned(engine.parameters, reach), own, rerank, target):
            break
        reach = Reach(reach.densities, tuple(1.5 * count for count in reach.counts))
    return reach


def _along(direction: NDArray[np.float64], sample: Sample) -> Mask:
    """Admits the slots that lie farthest along a direction."""
    far = sample.vectors[: len(sample.alive)] @ direction.astype(np.float32)
    return sample.alive & (far >= np.quantile(far[sample.alive], 1 - CLUMP))
