"""What `recsys-train` does besides training a config: one module here is one command.

A module NAME_OF.py is the command `name-of`. The first line of its docstring is its summary;
`add_arguments(parser)` says what it takes, `run(options)` does it and gives the exit status. What
is slow to import is imported inside `run`, so that help answers at once.
"""

import argparse
import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType


def names() -> list[str]:
    """Lists the commands."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def summary(name: str) -> str:
    """Gives the first line of a command's docstring."""
    return (_module(name).__doc__ or "").partition("\n")[0]


def parser_of(name: str) -> argparse.ArgumentParser:
    """Builds a command's parser; the module's docstring is its manual."""
    module = _module(name)
    first, _, rest = (module.__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog=f"recsys-train {name}",
        description=first,
        epilog=rest.strip("\n"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser


def run(name: str, arguments: Sequence[str]) -> int:
    """Runs a command; returns its exit status."""
    options = parser_of(name).parse_args(arguments)
    return int(_module(name).run(options))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
