"""The console script `recsys-train`, for installations with and without the extra that it needs."""

import sys

OURS = ("recsys_embed", "training")


def main() -> None:
    """Trains, or says which extra is missing; exits with what training returned."""
    try:
        from training.cli import main as train

        sys.exit(train())
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        sys.exit(
            f"recsys-train: expected the packages of the train extra, found no {missing!r};"
            " install them with pip install 'recsys-embed[train]'"
        )
