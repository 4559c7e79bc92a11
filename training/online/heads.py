"""What a trainer needs beside a log's rows to go on from its last entry, in a file of its own.

A head is written before its entry is appended, so that an entry in the log always has one: of
the two newest, one is that of the log's last entry, whenever the trainer was killed.
"""

import contextlib
import os
from pathlib import Path

from recsys_embed.deltas import Delta, decode, encode
from recsys_embed.errors import DeltaError
from recsys_embed.snapshot.directories import fsync_directory
from training.online.state import Captured


def save_head(folder: Path, lineage: str, number: int, captured: Captured) -> None:
    """Writes the head of an entry durably, whole or not at all.

    Raises:
        OSError: if the system refuses, a full disk, say.
    """
    data = encode(
        Delta(
            lineage=lineage,
            number=number,
            prev=number - 1,
            token=0,
            created_s=0.0,
            tables={},
            dense=captured.arrays,
            extra=captured.position,
        )
    )
    path = head_path(folder, lineage, number)
    hidden = path.with_suffix(".writing")
    with hidden.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    hidden.rename(path)
    fsync_directory(folder)


def load_head(folder: Path, lineage: str, number: int) -> Captured | None:
    """Reads the head of an entry; None if there is none that is whole."""
    try:
        head = decode(head_path(folder, lineage, number).read_bytes())
    except (FileNotFoundError, DeltaError):
        return None
    if (head.lineage, head.number) != (lineage, number):
        return None
    return Captured(dict(head.dense), dict(head.extra))


def forget_heads(folder: Path, lineage: str, number: int) -> None:
    """Removes all heads but those from entry `number` of a lineage on."""
    kept = {head_path(folder, lineage, n) for n in (number, number + 1)}
    for path in folder.iterdir():
        if path not in kept:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def head_path(folder: Path, lineage: str, number: int) -> Path:
    """Names the file of an entry's head."""
    return folder / f"{number:012d}-{lineage[:8]}.head"
