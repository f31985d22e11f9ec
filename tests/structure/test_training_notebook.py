"""The first cell of notebook 05 prepares a bare machine and changes nothing on an installed one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from paths import ROOT

from xbdcnn.study.reproduce.execution import read_notebook

REAL_RUN = subprocess.run


@pytest.fixture
def cell(monkeypatch):
    """Run the cell where the package is installed; return its names and the commands it runs."""
    commands = []

    def run(command, **options):
        commands.append(command)
        return REAL_RUN(command, **options) if command[0] == "git" else None

    monkeypatch.setattr(subprocess, "run", run)
    cells = read_notebook(ROOT / "notebooks" / "05_train.py").content.cells
    names: dict = {}
    exec(next(c.source for c in cells if c.cell_type == "code"), names)
    return names, commands


def test_nothing_is_done_where_the_package_is_installed(cell):
    assert cell[1] == []


def test_a_bare_machine_needs_the_address(cell):
    names, commands = cell
    names["find_spec"] = lambda name: None
    with pytest.raises(RuntimeError, match=r"^xbdcnn is not installed: set REPOSITORY.*$"):
        names["prepare_machine"]("")
    assert commands == []


def test_a_bare_machine_clones_installs_and_fetches(cell, tmp_path, monkeypatch):
    names, commands = cell
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    (origin / "notebooks").mkdir(parents=True)
    (origin / "notebooks" / "05_train.py").touch()
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "first"]):
        REAL_RUN(["git", *command], cwd=origin, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names["find_spec"] = lambda name: None
    names["prepare_machine"](origin.as_uri(), clone)
    assert (clone / "notebooks" / "05_train.py").exists() and sys.path[0] == str(clone)
    assert [command[-1] for command in commands] == [str(clone), f"{clone}[train]", "fetch-sample"]
    assert names["Path"].cwd() == clone / "notebooks"


def test_links_are_made_of_the_address(cell):
    links = cell[0]["launch_links"]
    assert "](" not in links("")
    page = "a/b/blob/main/notebooks/05_train.ipynb"
    assert f"(https://colab.research.google.com/github/{page})" in links("https://github.com/a/b")
    assert f"src=https://github.com/{page})" in links("https://github.com/a/b")
