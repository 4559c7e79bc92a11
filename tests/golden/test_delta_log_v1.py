"""The log in delta_log_v1/ was written once and is read for ever.

Nothing here may be generated anew: if this test fails, the reader is wrong.
"""

import shutil
from pathlib import Path

from recsys_embed.delta_log import Ack, Base, DirectoryLog, Frame, Head
from recsys_embed.deltas import decode

LINEAGE = "d4a1b3d7-af77-426a-8163-0cfe42285d18"
FOLDER = Path(__file__).parent / "delta_log_v1"
WRITER = "trainer-3:4711:0123456789abcdef0123456789abcdef"


def test_a_log_is_read_as_it_was_written() -> None:
    log = DirectoryLog(FOLDER)
    assert log.head() == Head(LINEAGE, 12, 3, 7, Base(7, "snapshot-000000000007"), WRITER)
    entries = list(log.read(7, lineage=LINEAGE))
    assert [entry.frame for entry in entries] == [
        Frame(LINEAGE, 8, 7, 3, 1_700_000_100.25, 4040, 0x1CE06C415CDEBEE3),
        Frame(LINEAGE, 9, 8, 3, 1_700_000_101.0, 3912, 0x19DAA40211E79705),
        Frame(LINEAGE, 12, 9, 3, 1_700_000_105.5, 0, 0xEF46DB3751D8E999),
    ]
    for entry in entries[:2]:
        delta = decode(entry.data)
        assert (delta.lineage, delta.number, delta.prev) == (LINEAGE, entry.number, entry.prev)
    assert log.replicas() == {"replica-1": Ack(LINEAGE, 8, 1_700_000_101.5)}


def test_a_log_is_gone_on_with(tmp_path: Path) -> None:
    log = DirectoryLog(shutil.copytree(FOLDER, tmp_path / "log"))
    with log.open_writer(LINEAGE, base=Base(12, "snapshot-000000000012")) as writer:
        writer.append(13, 12, b"rows")
        assert writer.token == 4
    assert [entry.number for entry in log.read(9, lineage=LINEAGE)] == [12, 13]
