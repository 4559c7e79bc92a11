"""What may happen to a stream of records while it is learned."""

import time

from tests.chaos.ground import Ground, Planted
from tests.chaos.scene import LONGEST_S, scene
from tests.chaos.tally import Tally


def stream(ground: Ground, planted: Planted, place: str, times: int) -> Tally:
    """In turn: trainer killed, server killed, both, server paused; it holds records and log."""
    with scene(ground, planted, "records in Redis: all", place, speed=800.0, streams=True) as s:
        assert s.server is not None
        feeder = s.feed()
        for number in range(times):
            time.sleep(ground.chance.uniform(0.1, 0.4))
            if number % 4 in (0, 2):
                s.trainer.kill()
            if number % 4 in (1, 2):
                s.server.kill()
                time.sleep(ground.chance.uniform(0.0, 0.5))
                s.server.start()
            if number % 4 == 3:
                s.server.pause()
                time.sleep(ground.chance.uniform(0.2, 2.0))
                s.server.resume()
            s.tally.times += 1
            moment_s = time.monotonic()
            reached = s.reached()
            if number % 4 in (0, 2):
                s.train()
            s.recover(reached, moment_s)
            s.check()
        assert feeder.wait(LONGEST_S) == 0, feeder.said()
        assert s.trainer.wait(LONGEST_S) == 0, s.trainer.said()
        return s.finish(is_running=False)
