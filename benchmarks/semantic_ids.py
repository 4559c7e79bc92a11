"""Semantic IDs against faiss: how fast contents are encoded, and how well.

`python -m benchmarks.semantic_ids [--quick] [--json FILE]`: 1 M vectors of 256 floats. Each side
encodes with codebooks that it learned itself from the same sample, one candidate a level (beam 1);
faiss is given the faster of its two ways.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import recsys_embed
from benchmarks.measure import Result, paired, parser, report, seconds, speedup
from recsys_embed.semantic_ids import Codebooks, ResidualKMeans

DIM, DECAY = 256, 0.9  # each direction has 0.9 of the spread of the one before
SHAPES = ((3, 256), (8, 256), (3, 1024))  # levels, codes
THREADS = (1, 2)
CALLS = (1, 4)  # of each block, not kept and kept
CODES_PER_CALL = 75_000_000  # dot products: a call takes about half a second on a core
HEADLINE = "semantic_id_encode_vs_faiss"

Floats = NDArray[np.float32]


def contents(count: int, seed: int) -> Floats:
    """Draws vectors with a falling spectrum, as encoders give them, of length 1."""
    spread = np.power(DECAY, np.arange(DIM)).astype(np.float32)
    vectors = np.random.default_rng(seed).standard_normal((count, DIM), np.float32) * spread
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


class Faiss:
    """faiss.ResidualQuantizer at beam 1."""

    def __init__(self, sample: Floats, levels: int, codes: int) -> None:
        bits = int(np.log2(codes))
        self._quantizer = faiss.ResidualQuantizer(DIM, levels, bits)
        self._quantizer.train_type = faiss.ResidualQuantizer.Train_default
        self._quantizer.max_beam_size = 1
        self._quantizer.train(sample)
        self._choose_way(sample[:10_000])

    def encode(self, vectors: Floats) -> NDArray[np.uint8]:
        """Gives packed codes (N, bytes)."""
        codes: NDArray[np.uint8] = self._quantizer.compute_codes(vectors)
        return codes

    def error(self, vectors: Floats) -> float:
        """Gives sum |x - reconstruction|^2 / sum |x|^2."""
        found = self._quantizer.decode(self.encode(vectors))
        return float(np.square(vectors - found).sum() / np.square(vectors).sum())

    def _choose_way(self, sample: Floats) -> None:
        timed = {}
        for way in (0, 1):
            self._quantizer.use_beam_LUT = way
            self.encode(sample)
            timed[way] = seconds(self.encode, sample)
        self._quantizer.use_beam_LUT = min(timed, key=timed.__getitem__)


def with_threads(count: int, work: Callable[[], Any]) -> Any:
    """Runs the work with so many threads for both sides."""
    faiss.omp_set_num_threads(count)
    recsys_embed.set_num_threads(count)
    with threadpool_limits(count):
        return work()


def of_shape(vectors: Floats, levels: int, codes: int, rounds: int) -> Iterator[Result]:
    """Measures throughput with each number of threads, then the errors."""
    sample = contents(256 * codes if codes <= 256 else 64 * codes, seed=1)
    # One thread: faiss's wait for each other by spinning, which takes minutes on shared cores.
    ours = with_threads(1, lambda: ResidualKMeans(levels, codes).fit(sample))
    peer = with_threads(1, lambda: Faiss(sample, levels, codes))
    size = min(CODES_PER_CALL // (levels * codes), len(vectors) // sum(CALLS))
    work = [vectors[i : i + size] for i in range(0, len(vectors) - size + 1, size)]
    work = (work * rounds)[: rounds * 2 * sum(CALLS)]
    for threads in THREADS:
        pairs = with_threads(threads, lambda: paired(ours.encode, peer.encode, work, *CALLS))
        key = f"{HEADLINE}_{levels}x{codes}_t{threads}"
        yield speedup(key, pairs, size / 1e3, "k vectors/s", 1.0)
    yield _error(f"semantic_id_error_vs_faiss_{levels}x{codes}", ours, peer, vectors[:50_000])


def _error(key: str, ours: Codebooks, peer: Faiss, vectors: Floats) -> Result:
    own, theirs = ours.relative_error(vectors), peer.error(vectors)
    return Result(key, own / theirs, "rel. error", own, theirs, 1.01, at_most=True)


def headline(results: list[Result]) -> Result:
    """Gives the lowest ratio of all shapes and threads as the figure to hold."""
    lowest = min((r for r in results if r.key.startswith(HEADLINE)), key=lambda r: r.value)
    return replace(lowest, key=HEADLINE)


def measure(quick: bool) -> list[Result]:
    """Measures all shapes."""
    vectors = contents(60_000 if quick else 1_000_000, seed=0)
    shapes = SHAPES[:1] if quick else SHAPES
    results = [r for shape in shapes for r in of_shape(vectors, *shape, 1 if quick else 2)]
    return [headline(results), *results]


def main() -> None:
    """Prints the figures."""
    options = parser(__doc__ or "").parse_args()
    settings = {"dim": DIM, "decay": DECAY, "shapes": SHAPES, "calls": CALLS}
    report("Semantic IDs", measure(options.quick), settings, options.json)


if __name__ == "__main__":
    main()
