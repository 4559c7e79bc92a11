"""The examples in the docstrings of training/ do what they show."""

import doctest
import importlib
import pkgutil

import pytest

import training

MODULES = [m.name for m in pkgutil.walk_packages(training.__path__, "training.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_show(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 5
