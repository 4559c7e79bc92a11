"""A table in plain values, for whoever asks what it is."""

from recsys_embed.config import to_dict
from recsys_embed.row_maps import SemanticId
from recsys_embed.snapshot import ReadableTable
from serving.following import Follower
from serving.responses import Following, SemanticIdsInfo, TableInfo


def following_info(follower: Follower | None) -> Following | None:
    """Describes what is followed, if anything is."""
    if follower is None:
        return None
    standing = follower.standing
    return Following.model_validate(standing, from_attributes=True)


def table_info(name: str, table: ReadableTable) -> TableInfo:
    """Describes the table of that name."""
    config = table.config
    return TableInfo(
        name=name,
        dim=config.dim,
        rows=table.num_rows,
        row_map=config.row_map.kind,
        vector_dims={rule.name: config.vector_dim(rule.name) for rule in config.features},
        semantic_ids=_semantic_ids_info(config.row_map)
        if isinstance(config.row_map, SemanticId)
        else None,
        config=to_dict(config),
    )


def _semantic_ids_info(row_map: SemanticId) -> SemanticIdsInfo:
    return SemanticIdsInfo(
        levels=row_map.levels,
        codes_per_level=row_map.codes_per_level,
        content_dim=row_map.codebooks.width,
        items=len(row_map.array("ids")),
        codebooks=row_map.codebooks.digest,
    )
