"""What hypothesis draws for the state machine: configs, batches and gradients."""

from hypothesis import strategies as st

from recsys_embed import (
    FTRL,
    SGD,
    Adagrad,
    Adam,
    Budget,
    Collisionless,
    FeatureRule,
    Hashed,
    Normal,
    RowwiseAdagrad,
    Segment,
    TableConfig,
)

# few, so that they meet again; among them the extremes and the same low 32 bits
IDS = st.sampled_from([0, 1, 2, 3, -1, -(2**63), 2**63 - 1, 2**32, 2**32 + 1, 1 - 2**32])
BATCH = st.lists(IDS, max_size=10)
# eighths and halves add up without rounding, so that sums that cancel do so in both tables
GRADIENT = st.integers(-16, 16).map(lambda k: k / 8)
OPTIMIZERS = st.sampled_from(
    [
        SGD(weight_decay=0.125),
        Adagrad(initial_accumulator=0.5, weight_decay=0.25),
        RowwiseAdagrad(initial_accumulator=0.25),
        Adam(beta1=0.5, beta2=0.75, eps=0.01),
        FTRL(l1=0.1, l2=0.3, weight_decay=0.25),
    ]
)


@st.composite
def configs(draw):
    segments = draw(st.lists(OPTIMIZERS, min_size=1, max_size=3))
    thresholds = draw(st.lists(st.integers(0, 3), min_size=2, max_size=2))
    ttls = draw(st.lists(st.none() | st.integers(1, 30), min_size=2, max_size=2))
    budget = draw(
        st.none()
        | st.builds(Budget, max_rows=st.integers(1, 40), policy=st.sampled_from(["lru", "lfu"]))
    )
    return TableConfig(
        "machine",
        tuple(Segment(draw(st.sampled_from([1, 2, 9])), o, Normal(std=0.5)) for o in segments),
        features=tuple(
            FeatureRule(name, threshold, ttl_s)
            for name, threshold, ttl_s in zip("ab", thresholds, ttls, strict=True)
        ),
        budget=budget,
        row_map=draw(st.sampled_from([Collisionless(), Collisionless(), Hashed(rows=5)])),
        seed=draw(st.integers(0, 2**63 - 1)),
        sweep_rows=draw(st.sampled_from([0, 1 << 20])),
    )
