"""What may happen to a follower; and an entry as large as a table."""

import time

from tests.chaos.ground import Ground, Planted
from tests.chaos.patches import FINISHING
from tests.chaos.scene import scene, until
from tests.chaos.tally import Tally

BYTES_A_ROW = 40  # and more: id, four weights, their state, when and how often it was seen


def follower_killed(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """kill -9 at random moments; every third time again while it starts."""
    with scene(ground, planted, "follower killed", place, speed=200.0) as s:
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.0, 0.3))
            moment_s = time.monotonic()
            s.follower.kill()
            reached, s.tally.times = s.reached(), s.tally.times + 1
            s.follower.start()
            if s.tally.times % 3 == 0 and s.tally.times < times:
                time.sleep(ground.chance.uniform(0.0, 1.0))
                continue
            s.recover(reached, moment_s)
            s.check()
        return s.finish()


def slow(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """It stands still until the entries that it needs are trimmed."""
    with scene(ground, planted, "follower behind the trim", place, speed=800.0) as s:
        for _ in range(times):
            time.sleep(ground.chance.uniform(0.0, 0.3))
            served = s.follower.version()
            s.follower.pause()
            until(lambda served=served: s.head().trimmed > served.number + 1, s.trouble)
            assert s.mirror.log.lags()["chaos"].entries
            s.tally.times += 1
            s.follower.resume()
            s.recover(s.reached(), time.monotonic())
            s.check()
        assert s.follower.metric("recsys_follow_resyncs_total") == times, s.trouble()
        return s.finish()


def million(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """All rows in one entry; the trainer is killed on the way, the first time before it stands."""
    sets = ("publish.every_s=1e6", "snapshot.every_s=1e6")
    tally, rows = Tally("", place), sum(len(ids) for ids in planted.ids.values())
    for number in range(times):
        with scene(ground, planted, f"an entry of {rows:,} rows", place, speed=0.0, sets=sets) as s:
            until((s.output / FINISHING).exists, s.trouble)
            time.sleep(planted.finishing_s * number / times)
            moment_s = time.monotonic()
            s.trainer.kill()
            (s.output / FINISHING).unlink()
            before, s.tally.times = s.reached(), 1
            tally = s.finish(is_running=False, since=(before, moment_s)).joined(tally)
            largest = max((frame.nbytes for frame in s.mirror.log.frames(0)), default=0)
            assert number or largest > BYTES_A_ROW * rows, f"{largest} bytes"
    return tally
