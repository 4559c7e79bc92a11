"""What may happen to a log, and to the disk or the server that keeps it."""

import contextlib
import shutil
import time
from pathlib import Path

from tests.chaos.disks import keep_full, small_disk
from tests.chaos.follower import Version
from tests.chaos.ground import Ground, Planted
from tests.chaos.scene import Scene, scene, until
from tests.chaos.tally import Tally
from tests.chaos.tampering import tamper

NEVER = 1 << 62
LONGEST_PAUSE_S = 4.0
KINDS = ("flipped", "cut short")


def redis_killed(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """kill -9 of the server, which comes back with its append-only file."""
    with scene(ground, planted, "Redis killed, restarted", place, speed=800.0) as s:
        assert s.server is not None
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.05, 0.3))
            s.server.kill()
            s.tally.times += 1
            time.sleep(ground.chance.uniform(0.0, 0.5))
            s.server.start()
            moment_s = time.monotonic()
            s.recover(s.reached(), moment_s)
            s.check()
        return s.finish()


def redis_paused(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """SIGSTOP for seconds: beyond every lease and time-out."""
    with scene(ground, planted, "Redis paused for seconds", place, speed=400.0) as s:
        assert s.server is not None
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.05, 0.3))
            s.server.pause()
            s.tally.times += 1
            time.sleep(ground.chance.uniform(0.5, LONGEST_PAUSE_S))
            s.server.resume()
            moment_s = time.monotonic()
            s.recover(s.reached(), moment_s)
            s.check()
        return s.finish()


def redis_emptied(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """kill -9 of the server, which comes back without anything."""
    with scene(ground, planted, "Redis restarted empty", place, speed=800.0) as s:
        assert s.server is not None
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.05, 0.3))
            lineage = s.reached().lineage
            s.server.kill()
            _remove_kept(s.folder)
            s.tally.times += 1
            s.server.start()
            s.recover(Version(lineage, NEVER), time.monotonic())
            s.check()
        return s.finish()


def _remove_kept(folder: Path) -> None:
    for path in folder.glob("appendonly*"):  # a file or, from Redis 7 on, a folder
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def disk_full(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """No byte is free where the trainer publishes and writes snapshots; then there is room."""
    disk = ground.new_folder()
    with contextlib.ExitStack() as stack:
        stack.enter_context(small_disk(disk))
        s = stack.enter_context(
            scene(ground, planted, "disk full, then freed", place, speed=800.0, disk=disk)
        )
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.1, 0.3))
            keep_full(disk, ground.chance.uniform(0.3, 1.5))
            assert "No space left on device" in s.trainer.said(), s.trouble()
            moment_s = time.monotonic()
            s.tally.times += 1
            s.recover(s.reached(), moment_s)
            s.check()
        return s.finish()


def damaged(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """An entry that waits for the follower is flipped or cut short; the next snapshot heals."""
    sets = ("snapshot.every_s=1.0",)
    with scene(ground, planted, "entry damaged: follower", place, speed=500.0, sets=sets) as s:
        refused = 0
        for number in range(times):
            s.follower.pause()
            entry = _newer_than(s, s.reached())
            tamper(s.log, entry, KINDS[number % 2], ground.chance)
            s.tally.times += 1
            s.follower.resume()
            moment_s = time.monotonic()
            refused += until(lambda entry=entry: _outcome(s, entry), s.trouble) == "degraded"
            s.recover(entry, moment_s)
            s.check()
            until(lambda: s.follower.ready()["status"] == "ready", s.trouble)
        assert refused, "no damaged entry was met"
        return s.finish()


def _newer_than(s: Scene, than: Version) -> Version:
    return until(lambda: (found := s.reached()).number > than.number and found, s.trouble)


def _outcome(s: Scene, entry: Version) -> str:
    told = s.follower.ready()
    if told["status"] == "degraded":
        assert "Error: " in told["reason"], told
        return "degraded"
    served = Version.of(told["snapshot_version"])
    assert served.lineage == entry.lineage
    return "passed over" if served.number > entry.number else ""


def damaged_restart(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """The last entry is flipped or cut short while the trainer is dead: it forks."""
    sets = ("snapshot.every_s=1.0",)
    with scene(ground, planted, "entry damaged: trainer", place, speed=800.0, sets=sets) as s:
        for number in range(times):
            time.sleep(ground.chance.uniform(0.1, 0.5))
            entry = _newer_than(s, s.reached())
            moment_s = time.monotonic()
            s.trainer.kill()
            entry = s.reached()
            tamper(s.log, entry, KINDS[number % 2], ground.chance)
            s.tally.times += 1
            s.train()
            s.recover(entry, moment_s)
            s.check()
        return s.finish()
