"""The HTTP lookup against a bare FastAPI endpoint that returns a constant body of the same size.

`python -m benchmarks.lookup_http [--quick] [--json FILE]`: 100 ids × 64 dimensions a request, over
kept-alive connections on loopback, as raw bytes and as JSON, with one worker and with two. Both
servers are uvicorn with uvloop and httptools, and get the same requests, no two of them alike.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.constant_endpoint import FOLDER
from benchmarks.http_load import Address, Connection, Load, free_port, serving, spread
from benchmarks.measure import Result, paired, parser, report, speedup
from recsys_embed import CollisionlessTable, TableConfig
from recsys_embed.snapshot import write_snapshot

DIM, IDS_PER_REQUEST, CONNECTIONS = 64, 100, 8
WORKERS = (1, 2)
TARGETS = {"bytes": 0.7, "json": 0.25}
TYPES = {"bytes": "application/octet-stream", "json": "application/json"}
OURS = "/v1/tables/item/lookup"
CONSTANT = {"bytes": "/raw", "json": "/json"}

OUR_SERVER = [sys.executable, "-m", "serving.cli", "--log-level", "warning"]
PEER_SERVER = [sys.executable, "-m", "uvicorn", "--factory", "--no-access-log", "--log-level"]
PEER_SERVER += ["warning", "benchmarks.constant_endpoint:create_app"]


class Bench:
    """Sizes of one run, and the table that is served."""

    def __init__(self, quick: bool) -> None:
        self.num_rows = 100_000 if quick else 1_000_000
        self.rounds = 15 if quick else 30
        self.requests = {"bytes": 1500, "json": 500} if quick else {"bytes": 4000, "json": 1500}
        self.rng = np.random.default_rng(0)
        self.ids = self.rng.integers(-(2**63), 2**63, self.num_rows)
        self.values = self.rng.uniform(-0.05, 0.05, (self.num_rows, DIM)).astype(np.float32)

    def write(self, root: Path) -> Path:
        """Writes the snapshot that is served."""
        table = CollisionlessTable(TableConfig.of("item", DIM))
        table.assign(self.ids, self.values)
        return write_snapshot(root, {"item": table})

    def draw(self, count: int) -> NDArray[np.int64]:
        """Draws positions of ids for that many requests."""
        return self.rng.integers(0, self.num_rows, (count, IDS_PER_REQUEST))

    def bodies(self, kind: str, count: int) -> Iterator[bytes]:
        """Writes that many request bodies."""
        for row in self.ids[self.draw(count)]:
            yield (
                row.astype("<i8").tobytes()
                if kind == "bytes"
                else orjson.dumps({"ids": row.tolist()})
            )

    def work(self, kind: str, warmup: int) -> list[tuple[list[bytes], list[bytes]]]:
        """Writes all requests of a run, a pair of lists a round: the same bodies to two paths."""
        rounds = []
        for _ in range(self.rounds + warmup):
            bodies = list(self.bodies(kind, self.requests[kind]))
            ours = [request(OURS, kind, body) for body in bodies]
            rounds.append((ours, [request(CONSTANT[kind], kind, body) for body in bodies]))
        return rounds


def request(path: str, kind: str, body: bytes) -> bytes:
    """Writes a whole request, which asks for an answer of the kind it is written in."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPES[kind]}\r\n"
    return f"{head}Accept: {TYPES[kind]}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def check(bench: Bench, address: Address, folder: Path) -> None:
    """Compares one answer of each kind with the table, and keeps it as the constant body."""
    [positions] = bench.draw(1)
    ids, expected = bench.ids[positions], bench.values[positions]
    connection = Connection(address)
    raw = connection.exchange(request(OURS, "bytes", ids.astype("<i8").tobytes()))
    json = connection.exchange(request(OURS, "json", orjson.dumps({"ids": ids.tolist()})))
    bodies = [answer.partition(b"\r\n\r\n")[2] for answer in (raw, json)]
    assert bodies[0] == expected.tobytes(), "raw bytes are not the rows"
    read = np.array(orjson.loads(bodies[1])["vectors"], np.float32)
    assert read.tobytes() == expected.tobytes(), "JSON does not read back as the rows"
    (folder / "raw").write_bytes(bodies[0])
    (folder / "json").write_bytes(bodies[1])


@contextmanager
def both(bench: Bench, snapshot: Path, folder: Path, workers: int) -> Iterator[tuple[Load, Load]]:
    """Runs both servers, each with every worker holding as many connections as the others."""
    ports = free_port(), free_port()
    ours = [*OUR_SERVER, "--snapshot", str(snapshot), "--workers", str(workers)]
    peer = [*PEER_SERVER, "--workers", str(workers)]
    with ExitStack() as stack:
        pids = [stack.enter_context(serving(ours, ports[0], {}))]
        check(bench, ("127.0.0.1", ports[0]), folder)
        pids.append(stack.enter_context(serving(peer, ports[1], {FOLDER: str(folder)})))
        loads = [
            Load(spread(("127.0.0.1", port), pid, workers, CONNECTIONS // workers))
            for port, pid in zip(ports, pids, strict=True)
        ]
        yield loads[0], loads[1]


def figures(bench: Bench, snapshot: Path, folder: Path) -> Iterator[Result]:
    """Measures both kinds of answers with every number of workers."""
    for workers in WORKERS:
        with both(bench, snapshot, folder, workers) as (ours, peer):
            for kind, target in TARGETS.items():
                work = bench.work(kind, warmup=2)
                timed = paired(lambda w: ours.run(w[0]), lambda w: peer.run(w[1]), work, 0, 1)[2:]
                rows = bench.requests[kind] * IDS_PER_REQUEST / 1e3
                yield speedup(f"{kind}_vs_constant_w{workers}", timed, rows, "k rows/s", target)


def main() -> None:
    options = parser(__doc__.partition("\n")[0]).parse_args()
    bench = Bench(options.quick)
    with tempfile.TemporaryDirectory() as folder:
        snapshot = bench.write(Path(folder) / "snapshots")
        results = list(figures(bench, snapshot, Path(folder)))
    sizes = {"rows": bench.num_rows, "rounds": bench.rounds, "requests": bench.requests}
    settings = {**sizes, "dim": DIM, "ids": IDS_PER_REQUEST, "connections": CONNECTIONS}
    report("HTTP lookup over a constant FastAPI endpoint", results, settings, options.json)


if __name__ == "__main__":
    main()
