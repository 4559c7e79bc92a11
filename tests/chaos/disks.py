"""A disk that is full when it is told to be."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SIZE = "24m"


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """Mounts a small tmpfs, meanwhile."""
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def can_mount() -> bool:
    """Whether this process may mount."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def become_able_to_mount(module: str) -> None:
    """Goes on, where that is allowed, in a namespace of its own in which it may mount."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    if can_mount() or shutil.which("unshare") is None:
        return
    if subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
        os.execvp("unshare", [*unshare, sys.executable, "-m", module, *sys.argv[1:]])


def keep_full(disk: Path, seconds: float) -> None:
    """Leaves no byte free, also of what is given back meanwhile; then lets go of it all."""
    filler, deadline = disk / "filler", time.monotonic() + seconds
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                while file.write(bytes(1 << 16)):
                    pass
            time.sleep(0.005)
    filler.unlink()
