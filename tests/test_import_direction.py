"""training -> recsys_embed <- serving, numpy alone in the base, torch in recsys_embed/nn alone."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {"recsys_embed": set(), "training": {"recsys_embed"}, "serving": {"recsys_embed"}}
NATIVE = ROOT / "recsys_embed" / "native"


def sources(package: str) -> list[Path]:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths, f"{package}/ holds no Python file: this guard would guard nothing"
    return paths


def imported_modules(path: Path) -> set[str]:
    """Every module an import statement in the file names, inside functions as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return names


def imported_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(path)}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_downwards(package: str) -> None:
    forbidden = (set(MAY_IMPORT) | {"tests", "benchmarks", "examples"}) - MAY_IMPORT[package]
    for path in sources(package):
        against = imported_packages(path) & (forbidden - {package})
        assert not against, f"{path.relative_to(ROOT)} imports {sorted(against)}"


def test_torch_is_imported_in_nn_and_training_alone() -> None:
    base = [p for p in sources("recsys_embed") if (ROOT / "recsys_embed" / "nn") not in p.parents]
    assert len(base) < len(sources("recsys_embed")), "recsys_embed/nn/ holds no Python file"
    for path in base + sources("serving"):
        against = imported_packages(path) & {"torch", "torchrec", "fbgemm_gpu"}
        assert not against, f"{path.relative_to(ROOT)} imports {sorted(against)}"


def test_only_nn_itself_imports_nn() -> None:
    for path in sources("recsys_embed") + sources("serving"):
        if (ROOT / "recsys_embed" / "nn") in path.parents:
            continue
        against = {m for m in imported_modules(path) if m.startswith("recsys_embed.nn")}
        assert not against, f"{path.relative_to(ROOT)} imports {sorted(against)}"


def test_native_headers_know_neither_python_nor_torch() -> None:
    headers = sorted(NATIVE.rglob("*.hpp")) + sorted(NATIVE.rglob("*.h"))
    assert headers, "recsys_embed/native/ holds no header: this guard would guard nothing"
    for path in headers:
        included = re.findall(r'#\s*include\s*[<"]([^>"]+)[>"]', path.read_text(encoding="utf-8"))
        against = [i for i in included if re.match(r"(?i)(python|nanobind|pybind11|torch|aten)", i)]
        assert not against, f"{path.relative_to(ROOT)} includes {against}"


def loaded_after(*modules: str) -> set[str]:
    """Third-party packages that importing the modules loads in a fresh interpreter."""
    code = (
        "import sys, numpy, numpy.random; before = set(sys.modules)\n"
        f"import {', '.join(modules)}\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_base_imports_numpy_only() -> None:
    parts = ("snapshot", "delta_log", "layers", "index")
    modules = {f"recsys_embed.{part}" for part in parts}
    modules |= {dotted(path) for path in sources("recsys_embed/retrieval")}
    loaded = loaded_after("recsys_embed", *sorted(modules))
    assert "recsys_embed" in loaded
    assert loaded <= {"recsys_embed", "numpy"}


def test_serving_never_imports_torch() -> None:
    loaded = loaded_after(*(dotted(p) for p in sources("serving") if p.stem != "__main__"))
    assert "serving" in loaded
    assert not loaded & {"torch", "torchrec", "fbgemm_gpu", "training", "pandas", "polars"}
    assert not loaded & {"igraph", "networkx", "scipy", "sklearn", "sentencepiece", "matplotlib"}
