"""Where a log is, in one word: a path, or an address of Redis that ends with the log's name."""

import os
from pathlib import Path

from recsys_embed.delta_log.directory import DirectoryLog
from recsys_embed.delta_log.protocol import DeltaLog
from recsys_embed.delta_log.redis_log import RedisLog
from recsys_embed.errors import ConfigError


def open_log(
    where: str | os.PathLike[str], *, timeout_s: float = 1.0, lease_s: float = 10.0
) -> DeltaLog:
    """Opens the log at a path or an address; nothing is made, nothing connected yet.

    Args:
        where: a directory, or redis://host:port/NAME, redis://host:port/DB/NAME, rediss://… alike,
            unix:///path/to/socket/NAME.
        timeout_s, lease_s: of Redis; see `RedisLog`.

    Raises:
        ConfigError: if an address has no name of a log.

    Example:
        >>> str(open_log("runs/shop/log"))
        'runs/shop/log'
        >>> str(open_log("redis://cache:6379/shop"))
        'log shop in redis://cache:6379'
    """
    place = os.fspath(where)
    if not place.startswith(("redis://", "rediss://", "unix://")):
        return DirectoryLog(Path(place))
    address, mark, query = place.partition("?")
    server, _, name = address.rpartition("/")
    if server.endswith("/") or not name or name.isdigit():
        raise ConfigError(
            f"{place}: expected the name of a log at the end, like {address.rstrip('/')}/shop"
        )
    return RedisLog(server + mark + query, name, timeout_s=timeout_s, lease_s=lease_s)
