"""What may happen to a trainer."""

import re
import signal
import time

from tests.chaos.ground import Ground, Planted
from tests.chaos.mirror import found_in
from tests.chaos.patches import JUMPS_S
from tests.chaos.scene import LONGEST_S, scene
from tests.chaos.tally import Tally


def killed(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """kill -9 at random moments; every third time again while it starts."""
    with scene(ground, planted, "trainer killed", place, speed=1000.0) as s:
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.0, 0.25))
            moment_s = time.monotonic()
            s.trainer.kill()
            served, s.tally.times = s.reached(), s.tally.times + 1
            s.train()
            if s.tally.times % 3 == 0 and s.tally.times < times:
                continue  # killed again at once, while it starts
            s.recover(served, moment_s)
            s.check()
        return s.finish()


def clock_goes_back(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """Every 0.2 s the trainer's clock falls back an hour."""
    with scene(
        ground, planted, "clock back an hour", place, speed=1000.0,
        before="tests.chaos.patches:clock_back",
    ) as s:  # fmt: skip
        for _ in range(times):
            time.sleep(JUMPS_S)  # one has come meanwhile
            served, moment_s = s.reached(), time.monotonic()
            s.tally.times += 1
            s.recover(served, moment_s)
            s.check()
        return s.finish()


def forks(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """The trainer is killed and told to begin from an older snapshot than its newest."""
    sets = ("snapshot.every_s=0.15",)
    with scene(
        ground, planted, "begun from an older snapshot", place, speed=1000.0, sets=sets
    ) as s:
        for _ in range(times):
            snapshots = s.output / "snapshots"
            time.sleep(ground.chance.uniform(0.3, 0.6))
            moment_s = time.monotonic()
            s.trainer.kill()
            served, s.tally.times = s.reached(), s.tally.times + 1
            s.train("--from", str(found_in(snapshots)[-2]))
            s.recover(served, moment_s)
            assert s.follower.version().lineage != served.lineage
            s.check()
        return s.finish()


def twice(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """A second trainer is started on the log of one that runs: it is refused, the first goes on."""
    with scene(ground, planted, "two trainers on a log", place, speed=1000.0) as s:
        for number in range(times):
            served, moment_s = s.reached(), time.monotonic()
            output, flags, says = (
                (s.folder / f"other-{number}", (), "is another run's"),
                (s.folder / f"other-{number}", ("--anew",), "is held by the writer"),
                (s.output, (), "another trainer runs in"),
            )[number % 3]
            second = s.start(output, *flags, says=s.folder / "second.says")
            assert second.wait(LONGEST_S) == 2 and says in second.said(), second.said()
            s.tally.times += 1
            s.recover(served, moment_s)
            assert s.reached().lineage == served.lineage
            s.check()
        return s.finish()


def fenced(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """A trainer is paused, its lease runs out, another takes the log; awake, the first is refused.

    In a directory the pause lets go of nothing, and it is the other that is refused.
    """
    with scene(ground, planted, "paused, another takes over", place, speed=1000.0) as s:
        for number in range(times):
            time.sleep(ground.chance.uniform(0.1, 0.3))
            served, moment_s = s.reached(), time.monotonic()
            s.trainer.signal(signal.SIGSTOP)
            paused, output = s.trainer, s.folder / f"other-{number}"
            other = s.start(output, "--anew")
            s.tally.times += 1
            if place == "directory":
                assert other.wait(LONGEST_S) == 2, other.said()
                # paused with the folder's lock in its hand, even that cannot be looked at
                assert re.search("is held by|is it paused", other.said()), other.said()
                paused.signal(signal.SIGCONT)
            else:
                s.move(other, output)
            s.recover(served, moment_s)
            if place != "directory":
                paused.signal(signal.SIGCONT)
                assert paused.wait(LONGEST_S) == 2, paused.said()
                assert "which has taken the log" in paused.said(), paused.said()
            s.check()
        return s.finish()
