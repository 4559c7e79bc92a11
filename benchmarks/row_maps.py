"""Row maps against a row for each id, and what they are learned with against what else does it.

`python -m benchmarks.row_maps [--quick] [--json FILE] [--only PART ...]`: 4,096 bags of 8 ids to
vectors of 16 floats, ids of 2 M, a tenth as many rows; then `benchmarks.graphhash` and
`benchmarks.semantic_ids`, all in one summary.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

import benchmarks.graphhash as graphhash
import benchmarks.semantic_ids as semantic_ids
import recsys_embed
from benchmarks.batches import Bags, Draw, bags, ids_of
from benchmarks.measure import KEPT_CALLS, WARMUP_CALLS, Result, paired, parser, report, speedup
from recsys_embed import CollisionlessTable, TableConfig, make_table
from recsys_embed.row_maps import (
    Bloom,
    Collisionless,
    DoubleFrequency,
    DoubleGraphHash,
    Frequency,
    GraphHash,
    Hashed,
    HashEmbedding,
    MultiChunk,
    Multiplexed,
    QuotientRemainder,
    RowMapConfig,
    SemanticId,
)
from recsys_embed.semantic_ids import Codebooks
from recsys_embed.semantic_ids.pieces import Pieces

DIM, NUM_BAGS, BAG_SIZE = 16, 4096, 8
THREADS = (1, 2)
BATCHES = 4  # in a call
INSERT_BATCH = 32_768
LEVELS, CODES = 3, 256

Ids = NDArray[np.int64]


def row_maps(ids: Ids, rows: int) -> dict[str, RowMapConfig]:
    """Gives a map of every kind: learned ones know all the ids."""
    rng = np.random.default_rng(1)
    clusters = np.concatenate([np.arange(rows), rng.integers(0, rows, len(ids) - rows)])
    return {
        "hashed": Hashed(rows),
        "bloom": Bloom(rows),
        "frequency": Frequency.of(ids, rows),
        "double_frequency": DoubleFrequency.of(ids, rows),
        "quotient_remainder": QuotientRemainder(rows, cardinality=len(ids)),
        "hash_embedding": HashEmbedding(rows // 2, importance=rows * DIM // 4),
        "multi_chunk": MultiChunk(rows * 2, lookups=2),
        "multiplexed": Multiplexed(rows * 2, lookups=2),
        "multiplexed_collisionless": Multiplexed(lookups=1),
        "graphhash": GraphHash.of(ids, clusters),
        "double_graphhash": DoubleGraphHash.of(ids, clusters),
        "semantic_id_prefix": semantic_id(ids, rows, "prefix"),
        "semantic_id_pieces": semantic_id(ids, rows, "pieces"),
    }


def semantic_id(ids: Ids, rows: int, tokens: str) -> SemanticId:
    """Gives every id random codes; pieces are all codes and as many random pairs as fit."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, CODES, (len(ids), LEVELS)).astype(np.int32)
    books = Codebooks(rng.standard_normal((LEVELS, CODES, 1), np.float32))
    pieces = random_pieces(rows, rng) if tokens == "pieces" else None
    return SemanticId.of(ids, codes, books, rows=rows, tokens=tokens, pieces=pieces)


def random_pieces(rows: int, rng: np.random.Generator) -> Pieces:
    """Gives up to `rows` pieces, pairs likelier than their codes."""
    singles = np.full((LEVELS * CODES, LEVELS), -1)
    singles[np.arange(LEVELS * CODES), np.repeat(np.arange(LEVELS), CODES)] = np.tile(
        np.arange(CODES), LEVELS
    )
    pairs = rng.choice(CODES * CODES, min(rows - len(singles), CODES * CODES // 2), replace=False)
    starts = np.column_stack([pairs // CODES, pairs % CODES, np.full(len(pairs), -1)])
    scores = np.repeat(np.float32([-5, -6]), [len(singles), len(pairs)])
    return Pieces(np.concatenate([singles, starts]), scores)


def filled(row_map: RowMapConfig, ids: Ids) -> CollisionlessTable:
    """Makes a table whose vectors have DIM floats, and admits all ids."""
    table = make_table(TableConfig.of("bench", DIM // row_map.chunks(""), row_map=row_map))
    for start in range(0, len(ids), INSERT_BATCH):
        table.train_lookup(ids[start : start + INSERT_BATCH])
    return table


def lookup(table: CollisionlessTable) -> Callable[[Sequence[Bags]], None]:
    """Reads a vector for each id of a call."""

    def run(work: Sequence[Bags]) -> None:
        for batch in work:
            table.lookup(batch.ids)

    return run


def pooled(table: CollisionlessTable) -> Callable[[Sequence[Bags]], None]:
    """Sums the vectors of each bag of a call."""

    def run(work: Sequence[Bags]) -> None:
        for batch in work:
            table.lookup_pooled(batch.ids, batch.offsets)

    return run


def lookups(quick: bool) -> Iterator[Result]:
    """Measures lookups a second of each row map over those of a table without one."""
    num_ids, blocks = (100_000, 2) if quick else (2_000_000, 8)
    ids, draw = ids_of(np.arange(num_ids)), Draw(num_ids, None, np.random.default_rng(0))
    plain = filled(Collisionless(), ids)
    for name, row_map in row_maps(ids, num_ids // 10).items():
        table = filled(row_map, ids)
        for way, side in (("lookup", lookup), ("pooled", pooled)):
            for threads in THREADS:
                recsys_embed.set_num_threads(threads)
                work = bags(draw, NUM_BAGS, BAG_SIZE, BATCHES, blocks * (WARMUP_CALLS + KEPT_CALLS))
                pairs = paired(side(table), side(plain), work)
                key = f"row_map_{way}_{name}_t{threads}"
                yield speedup(key, pairs, BATCHES * NUM_BAGS * BAG_SIZE / 1e6, "M ids/s", None)


PARTS: dict[str, Callable[[bool], Iterator[Result] | Sequence[Result]]] = {
    "lookups": lookups,
    "graphhash": graphhash.measure,
    "semantic_ids": semantic_ids.measure,
}


def main() -> None:
    """Runs the parts asked for, all by default."""
    options = parser(__doc__ or "")
    options.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    given = options.parse_args()
    results = []
    for part in given.only:
        for result in PARTS[part](given.quick):
            results.append(result)
            print(f"{result.key}: {result.value:.3g} {result.verdict}", flush=True)
    settings = {"dim": DIM, "bags": NUM_BAGS, "bag_size": BAG_SIZE, "batches_per_call": BATCHES,
                "quick": given.quick, "parts": given.only}  # fmt: skip
    report("benchmarks.row_maps", results, settings, given.json)


if __name__ == "__main__":
    main()
