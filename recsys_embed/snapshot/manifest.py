"""The manifest of a snapshot as bytes: JSON that carries its own checksum."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys_embed.config import from_dict, to_dict
from recsys_embed.errors import ConfigError, SnapshotCorruptError, SnapshotVersionError
from recsys_embed.snapshot.checksums import checksum
from recsys_embed.snapshot.format import CHECKSUM, FORMAT, READABLE, VERSION, Manifest

UNSIGNED = "0" * 16


def dump_manifest(manifest: Manifest) -> bytes:
    """Spells a manifest as JSON whose first key is the checksum of the whole.

    The checksum is the XXH64 of the very bytes returned, with its own 16 digits as zeros.
    """
    values = {"checksum": UNSIGNED, **to_dict(manifest)}
    text = json.dumps(values, indent=1, allow_nan=False).encode()
    return text.replace(UNSIGNED.encode(), checksum(text).encode(), 1)


def load_manifest(path: Path) -> tuple[Manifest, dict[str, Any]]:
    """Reads and checks `manifest.json`; returns it typed and as plain JSON values.

    Raises:
        SnapshotVersionError: for a format version other than ours.
        SnapshotCorruptError: if it is missing, damaged, or not a manifest.
    """
    values = _verified(path)
    if values.get("format") != FORMAT:
        raise SnapshotCorruptError(
            f"{path}: expected the format {FORMAT!r}, found {values.get('format')!r}"
        )
    if values.get("version") not in READABLE:
        raise SnapshotVersionError(
            f"{path}: this library reads versions up to {VERSION} of the format, found version"
            f" {values.get('version')!r}; read it with a newer recsys-embed"
        )
    try:
        return from_dict(Manifest, _without_checksum(values), "manifest"), values
    except ConfigError as error:
        raise SnapshotCorruptError(f"{path}: {error}") from None


def _verified(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
        values = json.loads(text, parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise SnapshotCorruptError(f"{path} is missing: the snapshot is not complete") from None
    except (ValueError, RecursionError) as error:
        raise SnapshotCorruptError(f"{path}: expected JSON: {error}") from None
    stated = values.get("checksum") if isinstance(values, dict) else None
    if not isinstance(stated, str) or not CHECKSUM.fullmatch(stated):
        raise SnapshotCorruptError(
            f"{path}: expected a JSON object with a checksum of 16 hexadecimal digits"
        )
    found = checksum(text.replace(stated.encode(), UNSIGNED.encode(), 1))
    if found != stated:
        raise SnapshotCorruptError(f"{path}: expected the checksum {stated}, found {found}")
    return values  # type: ignore[no-any-return]  # json.loads is untyped; it is a dict, as checked


def _without_checksum(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "checksum"}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
