"""A Redis server as a source sees it: it answers, it is away for now, or it refuses."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from recsys_embed.delta_log.redis_connection import shown_url
from recsys_embed.errors import ConfigError, SourceError


class Away(Exception):
    """The server does not answer, or not yet; what was asked may be asked again."""


class RedisClient:
    """Commands to one server, each answered within `timeout_s`.

    Raises:
        Away: from every call, while the server cannot be reached, loads, or has no room.
        SourceError: from every call, if the server refuses for good.
        ConfigError: if redis-py is not installed, or the address is not one.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConfigError(
                "a Redis Stream needs redis-py; pip install 'recsys-embed[redis]'"
            ) from None
        self.shown_url, self._timeout_s = shown_url(url), timeout_s
        errors = redis.exceptions
        self._refusals = (errors.AuthenticationError, errors.AuthorizationError)
        self._away = (
            errors.ConnectionError,
            errors.TimeoutError,
            errors.ReadOnlyError,
            errors.OutOfMemoryError,
            errors.MasterDownError,
            errors.TryAgainError,
            OSError,
        )
        self._error = redis.RedisError
        options = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        try:
            self._redis: Any = redis.Redis.from_url(
                url, protocol=2, retry=Retry(NoBackoff(), 0), **options
            )
        except ValueError as error:
            raise ConfigError(f"url: expected redis://host:port, got {url!r}: {error}") from None

    def transaction(self, fill: Callable[[Any], None]) -> list[Any]:
        """Runs at once the commands that `fill` gives a pipeline; a refused one gives its error."""
        with self._reaching(), self._redis.pipeline(transaction=True) as pipeline:
            fill(pipeline)
            return list(pipeline.execute(raise_on_error=False))

    def wait(self, stream: str, id: str, wait_s: float) -> None:
        """Waits until a stream has a record behind `id`, but at most `wait_s`."""
        block_ms = max(1, round(1000 * min(wait_s, self._timeout_s / 2)))
        with self._reaching():
            self._redis.xread({stream: id}, count=1, block=block_ms)

    def close(self) -> None:
        """Closes every connection."""
        self._redis.close()

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        where = f"Redis at {self.shown_url}"
        try:
            yield
        except self._refusals as error:
            raise SourceError(f"{where} refuses: {error}; look at the url's account") from error
        except self._away as error:
            raise Away(f"{where}: {error or type(error).__name__}") from error
        except self._error as error:
            raise SourceError(f"{where} refuses: {error}") from error
