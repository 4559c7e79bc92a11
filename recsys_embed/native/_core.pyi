from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]
Losses = tuple[Ids, NDArray[np.uint8], int]

class MissingIds(KeyError): ...

class Columns:
    def __init__(
        self,
        ids: Ids,
        weights: Floats,
        state: Floats,
        last_seen: NDArray[np.uint32],
        count: NDArray[np.uint32],
        feature: NDArray[np.uint16],
        seq: NDArray[np.uint64],
    ) -> None: ...

class Cut:
    def end(self) -> int: ...
    def count(self, first: int, last: int) -> int: ...
    def start_of(self, part: int, parts: int) -> int: ...

class Table:
    def __init__(
        self,
        segments: list[tuple[int, int, list[float], int, float, float]],
        features: list[tuple[int, int]],
        admission: tuple[int, int, int, float],
        budget: tuple[int, int],
        sweep_rows: int,
        seed: int,
        name: str,
    ) -> None: ...
    def lookup(self, ids: Ids, out: Floats, policy: int, vector: Floats | None) -> None: ...
    def lookup_pooled(
        self,
        ids: Ids,
        offsets: Ids,
        out: Floats,
        weights: Floats | None,
        mean: bool,
        policy: int,
        vector: Floats | None,
    ) -> None: ...
    def contains(self, ids: Ids, out: NDArray[np.bool_]) -> None: ...
    def initial_values(self, ids: Ids, out: Floats) -> None: ...
    def read_rows(self, cursor: int, out: Columns) -> tuple[int, int]: ...
    def train_lookup(
        self,
        ids: Ids,
        features: list[int],
        feature_offsets: Ids,
        now: int,
        rows: NDArray[np.uint32],
        out: Floats,
        policy: int,
        vector: Floats | None,
    ) -> Losses: ...
    def train_lookup_pooled(
        self,
        ids: Ids,
        offsets: Ids,
        features: list[int],
        now: int,
        rows: NDArray[np.uint32],
        out: Floats,
        weights: Floats | None,
        mean: bool,
        policy: int,
        vector: Floats | None,
    ) -> Losses: ...
    def apply_gradients(
        self,
        ids: Ids,
        rows: NDArray[np.uint32] | None,
        moves: int,
        grads: Floats,
        lr: list[float],
    ) -> bool: ...
    def apply_pooled_gradients(
        self,
        ids: Ids,
        rows: NDArray[np.uint32] | None,
        moves: int,
        offsets: Ids,
        grads: Floats,
        weights: Floats | None,
        mean: bool,
        lr: list[float],
    ) -> bool: ...
    def assign(self, ids: Ids, values: Floats, now: int) -> None: ...
    def evict(self, ids: Ids) -> Losses: ...
    def expire(self, now: int, max_rows: int) -> Losses: ...
    def enforce_budget(self) -> Losses: ...
    def compact(self, max_moves: int) -> int: ...
    def track_changes(self, on: bool) -> None: ...
    def forget_changes(self, seq: int) -> None: ...
    def begin_changes(
        self, since: int, admission: bool
    ) -> tuple[tuple[Any, ...], tuple[Ids, NDArray[np.uint8], NDArray[np.uint64]]]: ...
    def find_changed(self, cut: Cut) -> None: ...
    def apply_changes(
        self,
        rows: tuple[Any, ...],
        lost: Ids,
        reasons: NDArray[np.uint8],
        seq: int,
        clock: int,
        counters: list[int],
        waiting: tuple[Ids, NDArray[np.uint32], NDArray[np.uint32]] | None,
        cells: NDArray[np.uint32] | None,
    ) -> None: ...
    def begin_cut(self) -> tuple[Any, ...]: ...
    def end_cut(self, cut: Cut) -> None: ...
    def read_cut(self, cut: Cut, first: int, last: int, out: Columns) -> tuple[int, int]: ...
    def restore_rows(self, columns: Columns) -> None: ...
    def restore_meta(self, seq: int, clock: int, counters: list[int]) -> None: ...
    def restore_counts(
        self, ids: Ids, counts: NDArray[np.uint32], last_seen: NDArray[np.uint32]
    ) -> None: ...
    def restore_sketch(self, cells: NDArray[np.uint32]) -> None: ...
    def size(self) -> int: ...
    def bytes(self) -> int: ...
    def index_bytes(self) -> int: ...
    def load(self) -> float: ...
    def seq(self) -> int: ...
    def clock(self) -> int: ...
    def lookups(self) -> int: ...
    def hits(self) -> int: ...
    def row_bytes(self) -> int: ...
    def counters(self) -> list[int]: ...

class GroupRows: ...

class TableGroup:
    def __init__(
        self, tables: list[Table], features: list[list[int]], means: list[bool]
    ) -> None: ...
    def check(
        self, ids: Ids, offsets: Ids, starts: Ids, batch: int, weights: Floats | None
    ) -> int: ...
    def lookup_pooled(
        self,
        ids: Ids,
        offsets: Ids,
        starts: Ids,
        batch: int,
        weights: Floats | None,
        policy: int,
        vector: Floats | None,
        out: Floats,
    ) -> None: ...
    def train_lookup_pooled(
        self,
        ids: Ids,
        offsets: Ids,
        starts: Ids,
        batch: int,
        weights: Floats | None,
        policy: int,
        vector: Floats | None,
        now: list[int],
        out: Floats,
    ) -> tuple[GroupRows, list[tuple[int, Ids, NDArray[np.uint8]]]]: ...
    def apply_pooled_gradients(
        self,
        ids: Ids,
        offsets: Ids,
        starts: Ids,
        batch: int,
        weights: Floats | None,
        rows: GroupRows,
        grads: Floats,
        lr: Floats,
    ) -> bool: ...

class IdIndex:
    num_bytes: int
    def __init__(self, ids: Ids) -> None: ...
    def find(self, ids: Ids) -> Ids: ...

class Layers:
    def __init__(self, parts: list[tuple[IdIndex, Floats]], dim: int) -> None: ...
    def read(self, ids: Ids, out: Floats, found: NDArray[np.bool_]) -> None: ...
    def contains(self, ids: Ids, found: NDArray[np.bool_]) -> None: ...
    def merged(self) -> tuple[Ids, Floats]: ...

class NearestCodes:
    def __init__(self, codebooks: Floats) -> None: ...
    def encode(self, vectors: Floats, codes: NDArray[np.int32]) -> None: ...

class Xxh64:
    def __init__(self) -> None: ...
    def update(self, data: Any) -> None: ...
    def digest(self) -> int: ...

def hash_bytes(data: bytes, offsets: Ids) -> Ids: ...
def mix(ids: Ids, seed: int) -> Ids: ...
def maximize_modularity(
    offsets: Ids,
    items: NDArray[np.int32],
    weights: Floats | None,
    num_items: int,
    resolution: float,
    refines: bool,
    iterations: int,
    seed: int,
    start: NDArray[np.uint32] | None,
) -> NDArray[np.uint32]: ...
def set_num_threads(count: int) -> None: ...
def num_threads() -> int: ...
def instruction_set() -> str: ...
