"""Snapshots opened: everything is checked first, then mapped into memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recsys_embed.errors import ConfigError, SnapshotCorruptError, SnapshotError
from recsys_embed.row_maps import Learned
from recsys_embed.snapshot.directories import find_snapshot
from recsys_embed.snapshot.format import MANIFEST, TableRecord, row_tensors
from recsys_embed.snapshot.manifest import load_manifest
from recsys_embed.snapshot.safetensors import map_tensors
from recsys_embed.snapshot.table import SnapshotTable
from recsys_embed.snapshot.verification import Files, damage, read_layouts

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Snapshot:
    """A snapshot, its arrays mapped into memory read-only; any number of threads may read it.

    It stays readable after its directory has been removed. Its pages are read from disk when they
    are first touched, and every process that opens it shares them.

    Args:
        path: the directory.
        manifest: `manifest.json` as plain values.
        version_id: "<uuid>:<number>"; no two snapshots have the same.
        tables: the tables by name.
        dense: further arrays by name.
        extra: further values, as given to `write_snapshot`.
    """

    path: Path
    manifest: dict[str, Any]
    version_id: str
    tables: Mapping[str, SnapshotTable]
    dense: Mapping[str, NDArray[Any]]
    extra: dict[str, Any]
    _files: Files = field(repr=False)

    def damage(self) -> Iterator[str]:
        """Reads every byte; yields a sentence for each tensor that is not as it was written."""
        return damage(self.path, self._files)

    @property
    def num_bytes(self) -> int:
        """Bytes of the files, the manifest left out."""
        return sum(record.bytes for record, _ in self._files)


def open_snapshot(path: Path | str, *, verify: bool = True) -> Snapshot:
    """Opens a snapshot, or the newest complete one of a directory of snapshots.

    Args:
        path: a directory `snapshot-<number>`, or one that holds such directories.
        verify: read every byte and compare the checksums; without it, only the manifest, the
            headers and the sizes of the files are checked, whatever the size of the snapshot.

    Raises:
        SnapshotNotFoundError: if there is no snapshot.
        SnapshotVersionError: if its format is newer than this library.
        SnapshotCorruptError: naming file, tensor, what was expected and what was found; nothing
            has been loaded then.
        SnapshotError: if the system refuses to read it.
    """
    while True:
        directory = find_snapshot(Path(path))
        try:
            return _open(directory, verify)
        except SnapshotCorruptError:
            if directory.exists() or directory == Path(path):
                raise  # else a save has removed it as too old meanwhile: there is a newer one
        except OSError as error:
            raise SnapshotError(
                f"cannot read {error.filename or directory}: {error.strerror}"
            ) from error


def _open(directory: Path, verify: bool) -> Snapshot:
    manifest, values = load_manifest(directory / MANIFEST)
    files = read_layouts(directory, manifest)
    mapped = {record.file: map_tensors(directory / record.file, layout) for record, layout in files}
    snapshot = Snapshot(
        path=directory,
        manifest=values,
        version_id=f"{manifest.uuid}:{manifest.number}",
        tables={name: _table(record, mapped) for name, record in manifest.tables.items()},
        dense=mapped[manifest.dense.file] if manifest.dense else {},
        extra=manifest.extra,
        _files=files,
    )
    for sentence in snapshot.damage() if verify else ():
        raise SnapshotCorruptError(sentence)
    return snapshot


def _table(record: TableRecord, mapped: Mapping[str, Arrays]) -> SnapshotTable:
    columns = {
        name: tuple(mapped[shard.file][name] for shard in record.shards)
        for name in row_tensors(record.config, 0)
    }
    admission = mapped[record.admission.file] if record.admission else {}
    return SnapshotTable(_with_row_map(record, mapped), columns, admission)


def _with_row_map(record: TableRecord, mapped: Mapping[str, Arrays]) -> TableRecord:
    row_map = record.config.row_map
    if not isinstance(row_map, Learned):
        return record
    try:
        whole = row_map.with_arrays(mapped[record.row_map.file] if record.row_map else {})
    except ConfigError as error:
        raise SnapshotCorruptError(f"table {record.config.name!r}: {error}") from None
    return replace(record, config=replace(record.config, row_map=whole))
