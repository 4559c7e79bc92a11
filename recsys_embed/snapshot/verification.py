"""A snapshot compared with its manifest: first sizes and headers, then every byte."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recsys_embed.errors import SnapshotCorruptError
from recsys_embed.snapshot.checksums import checksum, checksum_file
from recsys_embed.snapshot.format import FileRecord, Manifest, row_tensors
from recsys_embed.snapshot.headers import read_layout
from recsys_embed.snapshot.layout import PADDING, Layout, Tensor
from recsys_embed.threads import num_threads

Files = Sequence[tuple[FileRecord, Layout]]


def read_layouts(directory: Path, manifest: Manifest) -> Files:
    """Reads the header of every file; all are there, of the right size, and hold what they should.

    Raises:
        SnapshotCorruptError: naming file, tensor, what was expected and what was found.
        OSError: as the system says.
    """
    expected = {
        shard.file: row_tensors(table.config, shard.rows)
        for table in manifest.tables.values()
        for shard in table.shards
    }
    return [
        (record, _read_layout(directory / record.file, record, expected.get(record.file)))
        for record in manifest.files
    ]


def _read_layout(path: Path, record: FileRecord, expected: Mapping[str, Tensor] | None) -> Layout:
    if not path.is_file():
        raise SnapshotCorruptError(
            f"{path} is missing; the manifest lists it with {record.bytes} bytes"
        )
    if (size := path.stat().st_size) != record.bytes:
        raise SnapshotCorruptError(f"{path}: expected {record.bytes} bytes, found {size}")
    plan = read_layout(path)
    if (found := checksum(plan.header)) != record.header:
        raise SnapshotCorruptError(
            f"{path}: expected the header checksum {record.header}, found {found}"
        )
    found_names = sorted(name for name in plan.tensors if not name.startswith(PADDING))
    for names in filter(None, (record.checksums, expected)):
        if found_names != sorted(names):
            raise SnapshotCorruptError(
                f"{path}: expected the tensors {sorted(names)}, found {found_names}"
            )
    for name, tensor in (expected or {}).items():
        wanted, came = _kind(tensor), _kind(plan.tensors[name])
        if wanted != came:
            raise SnapshotCorruptError(f"{path}: tensor {name!r}: expected {wanted}, found {came}")
    return plan


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def damage(directory: Path, files: Files) -> Iterator[str]:
    """Reads every byte in parallel; yields a sentence for each tensor that is not as written."""
    jobs = [
        (record, name, tensor) for record, plan in files for name, tensor in plan.tensors.items()
    ]
    with ThreadPoolExecutor(num_threads()) as pool:
        found = pool.map(lambda job: _damage_of(directory, *job), jobs)
        try:
            yield from filter(None, found)
        finally:
            pool.shutdown(cancel_futures=True)


def _damage_of(directory: Path, record: FileRecord, name: str, tensor: Tensor) -> str | None:
    where = f"{directory / record.file}: tensor {name!r}"
    expected = record.checksums.get(name) or checksum(bytes(tensor.nbytes))
    try:
        found = checksum_file(directory / record.file, tensor.start, tensor.nbytes)
    except OSError as error:
        return f"{where} cannot be read: {error.strerror}"
    return (
        None if found == expected else f"{where}: expected the checksum {expected}, found {found}"
    )
