"""Names of towers by what they are."""

import hashlib
import json
from collections.abc import Mapping

from recsys_embed.config import to_dict
from recsys_embed.retrieval.description import Tower


def version_of(towers: Mapping[str, tuple[Tower, bytes]]) -> str:
    """Gives 16 hexadecimal digits that other weights, inputs or names would change."""
    digest = hashlib.sha256()
    for name, (tower, file) in sorted(towers.items()):
        told = json.dumps([name, to_dict(tower), len(file)], sort_keys=True)
        digest.update(told.encode() + file)
    return digest.hexdigest()[:16]
