"""A table's config in the native core's terms."""

from recsys_embed import native
from recsys_embed.initializers import Constant, Initializer, Uniform
from recsys_embed.optimizers import FTRL, SGD, Adagrad, Adam, Optimizer, RowwiseAdagrad
from recsys_embed.table_config import TableConfig

ADMISSION_KINDS = {"exact": 0, "sketch": 1, "probabilistic": 2}
VICTIMS = {"lru": 0, "lfu": 1}


def make_native(config: TableConfig) -> native.Table:
    """Makes the empty native table that a config describes."""
    admission = config.admission
    is_sketch = admission.kind == "sketch"
    return native.Table(
        segments=[
            (s.dim, *_optimizer(s.optimizer), *_initializer(s.initializer)) for s in config.segments
        ],
        features=[(f.threshold, f.ttl_s or 0) for f in config.features],
        admission=(
            ADMISSION_KINDS[admission.kind],
            admission.width if is_sketch else 1,
            admission.depth if is_sketch else 1,
            admission.probability,
        ),
        budget=(config.max_rows or 0, VICTIMS[config.budget.policy] if config.budget else 0),
        sweep_rows=config.sweep_rows,
        seed=config.seed,
        name=config.name,
    )


def _optimizer(optimizer: Optimizer) -> tuple[int, list[float]]:
    decay = optimizer.weight_decay
    match optimizer:
        case SGD():
            return 0, [decay, 0.0, 0.0, 0.0]
        case Adagrad():
            return 1, [decay, optimizer.initial_accumulator, optimizer.eps, 0.0]
        case RowwiseAdagrad():
            return 2, [decay, optimizer.initial_accumulator, optimizer.eps, 0.0]
        case Adam():
            return 3, [decay, optimizer.beta1, optimizer.beta2, optimizer.eps]
        case FTRL():
            return 4, [decay, optimizer.l1, optimizer.l2, optimizer.beta]


def _initializer(initializer: Initializer) -> tuple[int, float, float]:
    match initializer:
        case Constant():
            return 0, initializer.value, 0.0
        case Uniform():
            return 1, initializer.low, initializer.high
        case _:
            return 2, initializer.mean, initializer.std
