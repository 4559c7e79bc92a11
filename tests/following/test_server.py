"""Real `recsys-serve --follow` processes: killed, restarted, several at once."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from recsys_embed.delta_log import open_log
from serving.cli import main
from serving.following.replicas import Place
from tests.delta_log import places
from tests.following.publishing import DIMS, IDS, Trainer, planted, until
from tests.serving.running import Server, start

HTTP = httpx.Client()  # making one for each question takes longer than the answer
KILLS = int(os.environ.get("RECSYS_KILLS", "3"))


@contextmanager
def serving(where: str, *flags: str) -> Iterator[Server]:
    """A server that follows a log, ended at the end."""
    with start("--follow", where, "--port", "0", *flags) as process:
        try:
            yield Server(process)
        finally:
            if process.poll() is None:
                process.terminate()


def ready(server: Server) -> dict[str, Any]:
    reply = HTTP.get(f"{server.url}/readyz")
    assert reply.status_code in (200, 503)
    found: dict[str, Any] = reply.json()
    return found


def reach(server: Server, trainer: Trainer) -> None:
    version = f"{trainer.lineage}:{trainer.number}"
    until(lambda: ready(server).get("snapshot_version") == version)


def ask(server: Server) -> tuple[str, int]:
    """Looks all rows of both tables up, and holds them to the version that the answer names."""
    lookups = [{"table": name, "ids": IDS.tolist()} for name in DIMS]
    reply = HTTP.post(f"{server.url}/v1/lookup", json={"lookups": lookups})
    lineage, _, number = reply.json()["snapshot_version"].partition(":")
    assert reply.headers["x-snapshot-version"] == f"{lineage}:{number}"
    for answer in reply.json()["lookups"]:
        rows = planted(int(number), DIMS[answer["table"]])
        np.testing.assert_array_equal(np.array(answer["vectors"], np.float32), rows)
        assert set(answer["status"]) == {"found"}
    return lineage, int(number)


def test_a_killed_server_comes_back_to_where_the_log_is(
    place: places.Place, tmp_path: Path
) -> None:
    where, chance = place.new(), random.Random(4)
    trainer = Trainer(open_log(where), tmp_path)
    for _ in range(KILLS):
        with serving(where, "--replica", "shop") as server:
            until(lambda server=server: "snapshot_version" in ready(server))
            seen = []
            for _ in range(4):
                trainer.publish(2)
                seen.append(ask(server)[1])
            assert seen == sorted(seen)
            reach(server, trainer)
            assert ask(server)[1] == trainer.number
            time.sleep(chance.uniform(0, 0.05))
            server.process.kill()
        trainer.publish(1)
    assert list(trainer.log.replicas()) == ["shop"]


def test_every_worker_follows_under_a_name_of_its_own(tmp_path: Path) -> None:
    where = str(tmp_path / "log")
    trainer = Trainer(open_log(where), tmp_path)
    with serving(where, "--replica", "shop", "--workers", "2") as server:
        server.wait_for("Application startup complete", times=2)
        trainer.publish(3)
        lags = until(lambda: trainer.log.lags() if len(trainer.log.lags()) == 2 else None)
        assert sorted(lags) == ["shop-1", "shop-2"]
        until(lambda: all(lag.entries == 0 for lag in trainer.log.lags().values()))
        samples = until(lambda: applied(server, {"shop-1": 3.0, "shop-2": 3.0}))
        assert 'recsys_follow_degraded{replica="shop-1"} 0.0' in samples
        version = f'recsys_active_version{{table="item",version="{trainer.lineage}"}} 1.0'
        assert version in samples and 'recsys_table_rows{table="item"} 67.0' in samples


def applied(server: Server, entries: dict[str, float]) -> str | None:
    """The metrics, once they show these entries."""
    text = HTTP.get(f"{server.url}/metrics").text
    wanted = [f'recsys_follow_entry{{replica="{name}"}} {n}' for name, n in entries.items()]
    return text if all(line in text for line in wanted) else None


def test_a_server_tells_what_it_waits_for_what_it_follows_and_what_it_refuses(
    tmp_path: Path,
) -> None:
    where = str(tmp_path / "log")
    with serving(where, "--replica", "shop") as server:
        told = until(lambda: ready(server) if "LogNotFound" in str(ready(server)) else None)
        assert told["code"] == "not_ready"
        assert HTTP.get(f"{server.url}/livez").status_code == 200
        assert HTTP.get(f"{server.url}/v1/info").status_code == 503
        trainer = Trainer(open_log(where), tmp_path)
        trainer.publish(2)
        reach(server, trainer)
        told = HTTP.get(f"{server.url}/v1/info").json()["following"]
        assert (told["log"], told["replica"], told["number"]) == (where, "shop", 2)
        trainer.writer.append(3, 2, b"rubbish")
        told = until(lambda: ready(server) if ready(server)["status"] == "degraded" else None)
        assert (told["reason"].startswith("DeltaError"), told["lag_entries"]) == (True, 1)
        assert ask(server) == (trainer.lineage, 2)
        assert 'recsys_follow_degraded{replica="shop"} 1.0' in applied(server, {"shop": 2.0})
        server.stop()
        assert server.process.returncode == 0


def test_a_worker_that_replaces_another_takes_its_place(tmp_path: Path) -> None:
    one, two = Place(tmp_path), Place(tmp_path)
    assert (one.number, two.number) == (1, 2)
    one.leave()
    assert Place(tmp_path).number == 1


def test_a_log_that_cannot_be_one_is_refused_at_the_start(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--follow", "redis://host:1", "--port", "0"])
    assert ended.value.code == 2
    assert "expected the name of a log at the end" in capsys.readouterr().err
