"""One trainer, its log and a follower while things happen to them; and the reckoning."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys_embed.delta_log import Head
from recsys_embed.errors import RecsysEmbedError
from tests.chaos.follower import Follower, Version
from tests.chaos.ground import FULL, TELL, Ground, Planted
from tests.chaos.mirror import Mirror
from tests.chaos.patches import OWN
from tests.chaos.rows import Tables, differing, load_rows, rows_of
from tests.chaos.tally import Tally, counts_of
from tests.redis_server import RedisServer
from tests.trainers import Trainer

LONGEST_S = 60.0


class Scene:
    """A trainer that learns at a steady pace, and what follows it.

    Args:
        ground: to be on.
        planted: what is learned.
        fault: its name, for the tally.
        place: "directory" or "redis", a server of its own then.
        speed: events a second.
        sets: further values of the config.
        before: what a trainer's process calls first.
        disk: for the run, and a log in a directory.
        streams: whether records come from a stream in Redis, fed at this pace.
    """

    def __init__(
        self,
        ground: Ground,
        planted: Planted,
        fault: str,
        place: str,
        *,
        speed: float,
        sets: tuple[str, ...] = (),
        before: str = TELL,
        disk: Path | None = None,
        streams: bool = False,
    ) -> None:
        self.ground, self.planted = ground, planted
        self.speed, self.sets, self.streams = speed, sets, streams
        self.tally = Tally(fault, place)
        self.folder = ground.new_folder()
        self.output = (disk or self.folder) / "run"
        self.server: RedisServer | None = None
        self.log = str((disk or self.folder) / "log")
        if place == "redis":
            self.server = RedisServer(self.folder, keeps=True)
            self.log = f"{self.server.url}/chaos"
        self.mirror = Mirror(self.log, self.output / "snapshots")
        self.before = before
        self.trainers: list[Trainer] = []  # all that were ever started
        self.follower = Follower(self.log, self.folder / "follower")

    def begin(self) -> None:
        """Starts everything, and waits until something is served."""
        self.train()
        self.follower.start()
        until(self.follower.version, self.trouble)

    def start(
        self, output: Path, *flags: str, speed: float | None = None, says: Path | None = None
    ) -> Trainer:
        """Starts a trainer on the log."""
        source = f"source.speed={self.speed if speed is None else speed:g}"
        if self.streams:
            source, flags = self._stream(), (*flags, "--events", str(self.planted.users.total()))
        sets = [source, f"publish.log={self.log}", "publish.lease_s=0.3"]
        values = [part for one in (*sets, *self.sets) for part in ("--set", one)]
        trainer = self.ground.trainers.start(
            *("online", str(self.planted.config), "--output", str(output), *FULL, *values, *flags),
            says=says or self.folder / f"{output.name}.says",
            before=self.before,
        )
        self.trainers.append(trainer)
        return trainer

    def _stream(self) -> str:
        assert self.server is not None
        columns = '{user = "int", item = "int"}'
        place = f'url = "{self.server.url}", stream = "records"'
        return f'source={{kind = "redis-stream", {place}, columns = {columns}}}'

    def feed(self) -> Trainer:
        """Starts to send the records."""
        assert self.server is not None
        place = ("--to", f"{self.server.url}/records", "--speed", f"{self.speed:g}")
        feeder = self.ground.trainers.start(
            "feed", str(self.planted.config), *place, says=self.folder / "feeder.says"
        )
        self.trainers.append(feeder)
        return feeder

    def train(self, *flags: str, speed: float | None = None) -> None:
        """Starts the trainer of this run, anew or again."""
        self.trainer = self.start(self.output, *flags, speed=speed)

    def move(self, trainer: Trainer, output: Path) -> None:
        """Takes another trainer for that of this run."""
        self.trainer, self.output = trainer, output
        self.mirror.close()
        self.mirror = Mirror(self.log, output / "snapshots")

    def head(self) -> Head:
        """What the log says of itself; waits until there is one to say it."""
        return until(lambda: self._head_or_none(), self.trouble)

    def _head_or_none(self) -> Head | None:
        try:
            return self.mirror.log.head()
        except RecsysEmbedError:
            return None

    def reached(self) -> Version:
        """The last entry of the log."""
        head = self.head()
        return Version(head.lineage, head.number)

    def recover(self, than: Version, since_s: float) -> None:
        """Waits until a newer entry is served, and notes how long that took.

        Where the log went over to another lineage, that is an entry of the new one, not its base;
        where a trainer has ended, the last there is.
        """
        first: dict[str, int] = {than.lineage: than.number}

        def is_newer() -> bool:
            served = self.follower.version()
            if served is None:
                return False
            is_later = served.number > first.setdefault(served.lineage, served.number)
            return is_later or (not self.trainer.is_alive and served == self.reached())

        until(is_newer, self.trouble)
        self.tally.lose(steps_back(self.follower.versions), "versions that followed a newer one")
        self.follower.versions = self.follower.versions[-1:]
        self.tally.recovery_s.append(time.monotonic() - since_s)

    def check(self) -> None:
        """Compares all that is served with snapshot + deltas, and its counts with what it says."""
        (unlike,) = until(self._served_and_known, self.trouble)
        self.tally.checks += 1
        self.tally.lose(unlike, "rows served unlike those of snapshot + deltas")
        counts = counts_of(self.mirror.tables["user"])
        self.tally.weigh(self.mirror.trained, sum(counts.values()), "events of an entry")

    def _served_and_known(self) -> tuple[int] | None:
        found = self.follower.rows(self.planted.ids)
        if found is None:
            return None
        version, served = found
        tables = self.mirror.at(version)
        return None if tables is None else (differing(served, served_of(tables)),)

    def finish(
        self, *, is_running: bool = True, since: tuple[Version, float] | None = None
    ) -> Tally:
        """Lets the trainer learn the rest as fast as it can, and reckons.

        Args:
            is_running: whether the trainer is to be stopped first.
            since: the version and the moment from which it recovers.
        """
        if is_running:
            assert self.trainer.is_alive, f"it ended before all faults; {self.trouble()}"
            self.trainer.signal(signal.SIGTERM)
            assert self.trainer.wait(LONGEST_S) == 128 + signal.SIGTERM, self.trainer.said()
        (self.output / OWN).unlink(missing_ok=True)
        self.train(speed=0.0)
        if since is not None:
            self.recover(*since)
        assert self.trainer.wait(LONGEST_S) == 0, self.trainer.said()
        head = self.reached()
        until(lambda: self.follower.version() == head, self.trouble)
        self.reckon()
        return self.tally

    def reckon(self) -> None:
        """Compares the trainer's tables with an undisturbed run's, and all else with them."""
        own = load_rows(self.output / OWN)
        tally, ways = self.tally, 0
        tally.lose(differing(own, self.planted.whole), "rows unlike those of an undisturbed run")
        for found in self.mirror.all_ways():
            tally.lose(differing(found, own), "rows of snapshot + deltas unlike the trainer's")
            ways += 1
        assert ways, "no snapshot leads to the head"
        found = self.follower.rows(self.planted.ids)
        assert found is not None
        own_served = {name: rows.served() for name, rows in own.items()}
        tally.lose(differing(found[1], own_served), "rows served unlike the trainer's")
        counts = counts_of(self.mirror.tables["user"])
        for user in counts | self.planted.users:
            tally.weigh(self.planted.users[user], counts[user], f"events of user {user}")
        tally.checks += 1

    def close(self) -> None:
        """Ends everything that runs here."""
        for trainer in self.trainers:
            trainer.kill()
        self.follower.kill()
        self.mirror.close()
        if self.server:
            self.server.kill()
        shutil.rmtree(self.folder)

    def trouble(self) -> str:
        """What was said, for whoever waits in vain."""
        said, heard = self.trainer.said(), self.follower.said()
        return f"the trainer said: {said[-2000:]}\nthe follower said: {heard[-2000:]}"


@contextmanager
def scene(*arguments: Any, **options: Any) -> Iterator[Scene]:
    """A scene that is cleared at the end."""
    made = Scene(*arguments, **options)
    try:
        made.begin()
        yield made
    finally:
        made.close()


def until(is_so: Callable[[], Any], trouble: Callable[[], str]) -> Any:
    """Waits for something to become true, and gives it."""
    deadline = time.monotonic() + LONGEST_S
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"it did not come; {trouble()}"
        time.sleep(0.003)
    return found


def served_of(tables: Any) -> Tables:
    """The weights of tables, by id."""
    return {name: rows_of(table).served() for name, table in tables.items()}


def steps_back(versions: Sequence[Version]) -> int:
    """Counts versions that come behind a newer one of their lineage, or behind another lineage."""
    back, newest, left = 0, dict[str, int](), set[str]()
    for version in versions:
        back += version.lineage in left or version.number < newest.get(version.lineage, 0)
        left |= newest.keys() - {version.lineage}
        newest[version.lineage] = version.number
    return back
