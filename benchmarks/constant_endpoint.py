"""The peer of benchmarks.lookup_http: bare FastAPI endpoints that return a constant body."""

import os
from pathlib import Path

from fastapi import FastAPI, Response

FOLDER = "CONSTANT_BODIES"


def create_app() -> FastAPI:
    """Builds endpoints /raw and /json that answer with the files of these names."""
    folder = Path(os.environ[FOLDER])
    raw, json = (folder / "raw").read_bytes(), (folder / "json").read_bytes()
    app = FastAPI()

    @app.post("/raw")
    async def constant_raw() -> Response:
        return Response(raw, media_type="application/octet-stream")

    @app.post("/json")
    async def constant_json() -> Response:
        return Response(json, media_type="application/json")

    return app
