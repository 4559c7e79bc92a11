"""Every Python block of the README and the docs runs, page by page, in order."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks_of(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_the_page_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in blocks_of(page):
        exec(compile(block, page.name, "exec"), names)


def test_there_are_blocks_to_run() -> None:
    assert sum(len(blocks_of(page)) for page in PAGES) >= 10


def test_the_readme_shows_the_quickstart_as_it_is() -> None:
    assert (ROOT / "examples" / "quickstart.py").read_text() in blocks_of(ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_the_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_a_page_names_exist(page: Path) -> None:
    roots = "recsys_embed|training|serving|tests|configs|benchmarks|docs|examples|data"
    for name in re.findall(rf"`((?:{roots})/[\w./-]*\w/?)`", page.read_text()):
        assert (ROOT / name).exists(), name
