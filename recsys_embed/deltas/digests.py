"""Which rows suit which table: a number for all in a config that they depend on."""

import json

from recsys_embed.snapshot.checksums import checksum
from recsys_embed.snapshot.restoring import must_agree
from recsys_embed.table_config import TableConfig


def config_digest(config: TableConfig) -> str:
    """Gives 16 hexadecimal digits that are equal for tables which may exchange rows.

    It is the XXH64 of the config as JSON with sorted keys, without budget, sweep, thresholds and
    times to live, which may change from one run to the next.

    Example:
        >>> config = TableConfig.of("item", 4)
        >>> config_digest(config) == config_digest(TableConfig.of("item", 4, sweep_rows=1))
        True
    """
    values = must_agree(config, len(config.features))
    return checksum(json.dumps(values, sort_keys=True).encode())
