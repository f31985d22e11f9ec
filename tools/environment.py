"""Write environment.yml and binder/environment.yml from pyproject.toml and constraints.txt.

python tools/environment.py --write    after either source has changed
python tools/environment.py --check    exit code 1 if a file is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# Written by tools/environment.py from pyproject.toml and constraints.txt: do not edit.
{note}
name: xbdcnn
channels:
  - conda-forge
  - nodefaults
dependencies:
"""
LOCAL_NOTE = "# Python comes from conda, everything else from pip at the tested versions."
BINDER_NOTE = """\
# PyTorch comes from conda as the CPU build, which fits into Binder's 2 GB; conda-forge lags behind,
# so only a lower bound of its version is given. Everything else comes from pip: the extras
# "reproduce" (the notebooks and the methods they compare) and "explore" (Voilà). postBuild installs
# the package itself."""


def normalised(name: str) -> str:
    """Return a distribution name in the form that compares equal for all spellings."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project_name(requirement: str) -> str:
    """Return the distribution name of a requirement such as 'torch>=2.6'."""
    return re.match(r"[\w.-]+", requirement).group()


def read_project(root: Path = ROOT) -> dict:
    """Return the [project] table of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_constraints(root: Path = ROOT) -> dict[str, str]:
    """Return {normalised name: exact version} of constraints.txt."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normalised(name): version for name, version in pairs}


def requirements(project: dict, *extras: str) -> list[str]:
    """Return the dependencies of the project, followed by those of the named extras."""
    return [
        *project["dependencies"],
        *(item for extra in extras for item in expand(project, extra)),
    ]


def expand(project: dict, extra: str) -> list[str]:
    """Return the requirements of an extra, those of other extras in place of "xbdcnn[other]"."""
    found = []
    for item in project["optional-dependencies"][extra]:
        if match := re.fullmatch(rf"{project['name']}\[(.+)\]", item):
            for other in match[1].split(","):
                found += expand(project, other.strip())
        else:
            found.append(item)
    return list(dict.fromkeys(found))


def pinned(items: list[str], constraints: dict[str, str]) -> list[str]:
    """Return each requirement as name==version, the version taken from the constraints."""
    # Several extras may require the same package.
    names = list(dict.fromkeys(project_name(item) for item in items))
    if missing := [name for name in names if normalised(name) not in constraints]:
        raise SystemExit(f"constraints.txt lacks {', '.join(missing)}: run `make lock`")
    return [f"{name}=={constraints[normalised(name)]}" for name in names]


def render(note: str, conda: list[str], pip: list[str]) -> str:
    """Return the text of one environment file."""
    conda_lines = [f"  - {item}\n" for item in [*conda, "pip", "pip:"]]
    return HEADER.format(note=note) + "".join(conda_lines + [f"      - {item}\n" for item in pip])


def environments(root: Path = ROOT) -> dict[Path, str]:
    """Return {file: text} for the local and the Binder environment."""
    project, constraints = read_project(root), read_constraints(root)
    python = "python=" + project["requires-python"].removeprefix(">=")
    extras = list(project["optional-dependencies"])
    local = pinned(requirements(project, *extras), constraints)
    local = ["-c constraints.txt", *local, f"-e .[{','.join(extras)}]"]
    shared = requirements(project, "reproduce", "explore")
    torch = next(item for item in shared if project_name(item) == "torch")
    binder = pinned([item for item in shared if item != torch], constraints)
    pytorch = torch.replace("torch", "pytorch-cpu") + ",<3"
    return {
        root / "environment.yml": render(LOCAL_NOTE, [python], local),
        root / "binder" / "environment.yml": render(BINDER_NOTE, [python, pytorch], binder),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or check both files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write both files")
    mode.add_argument("--check", action="store_true", help="fail if a file is out of date")
    options = parser.parse_args(arguments)
    code = 0
    for path, text in environments().items():
        if options.write:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(ROOT)} is out of date: run `make lock`", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    raise SystemExit(main())
