"""The console script `recsys-serve`, for installations with and without the extra that it needs."""

import sys

OURS = ("recsys_embed", "serving")


def main() -> None:
    """Serves, or says which extra is missing."""
    try:
        from serving.cli import main as serve
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        sys.exit(
            f"recsys-serve: expected the packages of the serve extra, found no {missing!r};"
            " install them with pip install 'recsys-embed[serve]'"
        )
    serve()
