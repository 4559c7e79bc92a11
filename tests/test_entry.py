"""What a bare installation says when an extra is missing."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "script", "lacking"),
    [("serving", "recsys-serve", "uvicorn"), ("training", "recsys-train", "rich")],
)
def test_a_script_without_its_extra_names_the_extra(
    package: str, script: str, lacking: str
) -> None:
    code = (
        f"import sys; sys.modules[{lacking!r}] = None; sys.argv = [{script!r}, 'x.toml'];"
        f" from {package}.entry import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{script}: expected") and "pip install" in ran.stderr
