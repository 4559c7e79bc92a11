"""`recsys-serve`: checks what it was told and the snapshot, then serves until told to stop."""

import atexit
import contextlib
import gc
import signal
import socket
import sys
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from recsys_embed.delta_log import open_log
from recsys_embed.errors import ConfigError, InputError, SnapshotError
from recsys_embed.retrieval.description import EXTRA
from recsys_embed.snapshot import Snapshot, open_snapshot
from serving.app import create_app
from serving.lookup import LookupService
from serving.settings import Settings

BAD_START = 2
BACKLOG = 2048


def main(arguments: list[str] | None = None) -> None:
    """Serves until told to stop; exits with 2 and one sentence if it cannot, else with 0."""
    try:
        settings = Settings.read(sys.argv[1:] if arguments is None else arguments)
        settings, what = _checked(settings)
        listening = _listen(settings)
    except (ConfigError, InputError, SnapshotError) as error:
        sys.stderr.write(f"recsys-serve: {error}\n")
        sys.exit(BAD_START)
    host, port = listening.getsockname()[:2]
    settings = settings.model_copy(update={"port": port})
    print(
        f"recsys-serve decided:\n{settings.decided()}\n"
        f"recsys-serve answers from {what} on http://{host}:{port}",
        flush=True,
    )
    _serve(settings, listening)


def _checked(settings: Settings) -> tuple[Settings, str]:
    """Checks what is to be served, as far as it is there already, and names it."""
    if settings.items is not None:
        _check_items(settings.items)
    if settings.follow is not None:
        with contextlib.closing(open_log(settings.follow)) as log:
            return settings, f"what follows {log}"
    assert settings.snapshot is not None  # as the settings were checked
    found = open_snapshot(settings.snapshot, verify=True)
    if EXTRA in found.extra:
        _check_retrieval(found)
    # all workers serve the snapshot that was checked, also one started after a newer save
    return settings.model_copy(update={"snapshot": found.path}), f"snapshot {found.version_id}"


def _check_items(where: str) -> None:
    from serving.retrieval.items_log import check_log

    with contextlib.closing(open_log(where)) as log:
        check_log(log)


def _check_retrieval(snapshot: Snapshot) -> None:
    from serving.retrieval.generation import open_generation  # onnxruntime follows

    open_generation(LookupService.of(snapshot))


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, settings.port)
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}"
        ) from None


def _serve(settings: Settings, listening: socket.socket) -> None:
    if settings.workers == 1:
        _run_here(_config(settings, None), listening)
    else:
        with TemporaryDirectory(prefix="recsys-serve-") as counts:
            _run_workers(_config(settings, Path(counts)), listening)


def _config(settings: Settings, counts: Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        partial(create_app, settings, _open_to_stay, counts, _stay),
        factory=True,
        workers=settings.workers,
        backlog=BACKLOG,
        log_config=_logging(settings),
        log_level=settings.log_level,
        access_log=settings.access_log,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.grace_s,
        server_header=False,
    )


def _open_to_stay(path: Path) -> LookupService:
    service = LookupService.open(path, verify=False)  # main() has checked the files
    _stay()
    return service


def _stay() -> None:
    gc.freeze()  # what is loaded now stays; the collector need not walk it again and again
    atexit.register(gc.unfreeze)  # else the native core reports at the end that things were left


def _logging(settings: Settings) -> dict[str, Any]:
    config = deepcopy(LOGGING_CONFIG)
    config["loggers"]["serving"] = {"handlers": ["default"], "level": settings.log_level.upper()}
    return config


def _run_here(config: uvicorn.Config, listening: socket.socket) -> None:
    # uvicorn raises the signal again once it has stopped in good order; that is no failure
    signal.signal(signal.SIGTERM, _exit_well)
    signal.signal(signal.SIGINT, _exit_well)
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(BAD_START)


def _run_workers(config: uvicorn.Config, listening: socket.socket) -> None:
    supervisor = Multiprocess(config, sockets=[listening])
    supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        sys.exit(BAD_START)


def _exit_well(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
