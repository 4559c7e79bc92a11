"""The native core; required, built by `pip install`."""

try:
    from recsys_embed.native._core import (
        Columns,
        Cut,
        GroupRows,
        IdIndex,
        Layers,
        MissingIds,
        NearestCodes,
        Table,
        TableGroup,
        Xxh64,
        hash_bytes,
        instruction_set,
        joined,
        maximize_modularity,
        mix,
        num_threads,
        set_num_threads,
    )
except ImportError as error:
    raise ImportError(
        "the native core of recsys_embed is not built for this Python; run `make setup` in a"
        f" checkout, or `pip install .` with a C++20 compiler; the loader said: {error}"
    ) from error

__all__ = [
    "Columns",
    "Cut",
    "GroupRows",
    "IdIndex",
    "Layers",
    "MissingIds",
    "NearestCodes",
    "Table",
    "TableGroup",
    "Xxh64",
    "hash_bytes",
    "instruction_set",
    "joined",
    "maximize_modularity",
    "mix",
    "num_threads",
    "set_num_threads",
]
