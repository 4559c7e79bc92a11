"""The connection of a log to Redis: bounded time-outs, no blind retries, errors of this library."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from recsys_embed.errors import ConfigError, InputError, LogUnavailableError

READ_BYTES = 1 << 18


class Connection:
    """Commands to one server, each answered within `timeout_s` or refused.

    A broken connection is made anew by the next command.

    Concurrency: any thread; each command takes a connection of its own from a pool.

    Raises:
        ConfigError: if redis-py is not installed, or the address is not one.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        if not timeout_s > 0:
            raise InputError(f"timeout_s: expected seconds beyond 0, got {timeout_s!r}")
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConfigError(
                "a delta log in Redis needs redis-py; pip install 'recsys-embed[redis]'"
            ) from None
        self.url = url
        self.timeout_s = timeout_s
        self._errors = redis.RedisError
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                socket_read_size=READ_BYTES,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise ConfigError(f"url: expected redis://host:port, got {url!r}: {error}") from None

    def call(self, *command: Any) -> Any:
        """Runs one command."""
        with self._reaching():
            return self._client.execute_command(*command)

    def calls(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Runs several commands in one round trip."""
        with self._reaching(), self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return list(pipeline.execute())

    def script(self, text: str, keys: Sequence[str], *arguments: Any) -> list[Any]:
        """Runs a Lua script, which the server keeps; gives its word as text, the rest as bytes."""
        with self._reaching():
            word, *rest = self._client.register_script(text)(keys, arguments)
        return [word.decode(), *rest]

    def close(self) -> None:
        """Closes every connection."""
        self._client.close()

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (self._errors, OSError) as error:
            raise LogUnavailableError(
                f"Redis at {shown_url(self.url)}: {error or type(error).__name__} (waited up to"
                f" {self.timeout_s:g} s); the same call may be made again"
            ) from error


def shown_url(url: str) -> str:
    """Spells an address without its password.

    Example:
        >>> shown_url("redis://user:secret@cache:6379/0")
        'redis://user:***@cache:6379/0'
    """
    scheme, _, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    user = account.partition(":")[0] + ":***" if ":" in account else account
    return f"{scheme}://{user}{at}{place}"
