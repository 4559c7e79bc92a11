"""What changed in tables between two moments, as bytes; docs/formats.md has the format."""

from recsys_embed.deltas.applying import apply
from recsys_embed.deltas.codecs import CODECS
from recsys_embed.deltas.decoding import decode, read_header
from recsys_embed.deltas.delta import Delta, TableDelta
from recsys_embed.deltas.encoding import encode
from recsys_embed.deltas.merging import merge

__all__ = ["CODECS", "Delta", "TableDelta", "apply", "decode", "encode", "merge", "read_header"]
