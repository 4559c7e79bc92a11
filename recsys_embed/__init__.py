"""Embedding tables that never collide, never grow stale and never lose an update."""

from importlib.metadata import version

from recsys_embed.changes import Changes
from recsys_embed.cut import Cut
from recsys_embed.errors import (
    ConfigError,
    DeltaError,
    InputError,
    MissingIdError,
    RecsysEmbedError,
    SnapshotCorruptError,
    SnapshotError,
    SnapshotNotFoundError,
    SnapshotVersionError,
)
from recsys_embed.hashing import hash_string, hash_strings, ids_of
from recsys_embed.initializers import Constant, Normal, Uniform
from recsys_embed.mapped_table import MappedTable, make_table
from recsys_embed.optimizers import FTRL, SGD, Adagrad, Adam, RowwiseAdagrad
from recsys_embed.row_maps import Collisionless, Hashed
from recsys_embed.rules import Admission, Budget, FeatureRule
from recsys_embed.table import CollisionlessTable
from recsys_embed.table_config import Segment, TableConfig
from recsys_embed.table_group import Member, TableGroup
from recsys_embed.table_types import (
    BUDGET,
    DELETED,
    EXPIRED,
    Evicted,
    Lookup,
    RowBlock,
    TableStats,
    Tombstones,
)
from recsys_embed.threads import initial_values, num_threads, set_num_threads

__version__ = version("recsys-embed")

__all__ = [
    "BUDGET",
    "DELETED",
    "EXPIRED",
    "FTRL",
    "SGD",
    "Adagrad",
    "Adam",
    "Admission",
    "Budget",
    "Changes",
    "Collisionless",
    "CollisionlessTable",
    "ConfigError",
    "Constant",
    "Cut",
    "DeltaError",
    "Evicted",
    "FeatureRule",
    "Hashed",
    "InputError",
    "Lookup",
    "MappedTable",
    "Member",
    "MissingIdError",
    "Normal",
    "RecsysEmbedError",
    "RowBlock",
    "RowwiseAdagrad",
    "Segment",
    "SnapshotCorruptError",
    "SnapshotError",
    "SnapshotNotFoundError",
    "SnapshotVersionError",
    "TableConfig",
    "TableGroup",
    "TableStats",
    "Tombstones",
    "Uniform",
    "hash_string",
    "hash_strings",
    "ids_of",
    "initial_values",
    "make_table",
    "num_threads",
    "set_num_threads",
]
