"""The surroundings agree with each other: requirements, environments, versions, layers, paths."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import environment
import pytest
import yaml
from packaging.requirements import Requirement
from paths import ROOT

# Lowest first. A room (a module or a folder of modules directly below xbdcnn) imports from lower
# floors only, and stands on the lowest floor that its imports allow.
FLOORS = (
    {"_common", "paper"},
    {"data", "metrics", "noise"},
    {"models"},
    {"baselines", "losses"},
    {"inference"},
    {"plotting", "training"},
    {"study"},
    {"cli", "explorer"},
    {"__main__"},
)
PROJECT = environment.read_project()
CONSTRAINTS = environment.read_constraints()
EXTRAS = list(PROJECT["optional-dependencies"])
MODULES = sorted((ROOT / "xbdcnn").rglob("*.py"))
assert MODULES[0].name == "__init__.py"


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: import absolutely"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(path: Path) -> str:
    """Return a module's name below xbdcnn, e.g. "noise", "data.folders", or "data" itself."""
    return ".".join(path.relative_to(ROOT / "xbdcnn").with_suffix("").parts).removesuffix(
        ".__init__"
    )


def siblings(path: Path) -> set[str]:
    """Return the modules of xbdcnn that a file imports, by their names below xbdcnn."""
    known = {dotted(module) for module in MODULES} - {"__init__"}
    found = set()
    for name in imported(path):
        if name.startswith("xbdcnn."):
            parts = name.split(".")[1:]
            prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            found.add(next((prefix for prefix in prefixes if prefix in known), "__init__"))
    return found - {"__init__"}


def rooms() -> dict[str, set[str]]:
    """Return what each room imports: names of other rooms."""
    found: dict[str, set[str]] = {}
    for path in MODULES[1:]:
        room = dotted(path).partition(".")[0]
        others = {other.partition(".")[0] for other in siblings(path)}
        found[room] = found.get(room, set()) | (others - {room})
    return found


def floors(graph: dict[str, set[str]]) -> tuple[set[str], ...]:
    """Return the rooms by floor: a room stands just above the highest room that it imports."""
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[other] for other in graph[room]), default=0)
    return tuple({r for r in height if height[r] == n} for n in range(1, max(height.values()) + 1))


def tracked_files() -> list[Path]:
    """Return every file that is, or is about to be, under version control."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def fresh_import() -> dict:
    """Import xbdcnn in a new interpreter; return the seconds it took and the modules loaded."""
    code = (
        "import json, sys, time; start = time.perf_counter(); import xbdcnn; "
        "seconds = time.perf_counter() - start; "
        "print(json.dumps({'seconds': seconds, 'modules': sorted(sys.modules)}))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


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


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_environment_files_pin_every_direct_dependency(name):
    conda = yaml.safe_load((ROOT / name).read_text())["dependencies"]
    pip = next(item["pip"] for item in conda if isinstance(item, dict))
    assert "python=3.11" in conda
    pins = {Requirement(item).name.lower() for item in pip if not item.startswith("-")}
    wanted = {Requirement(item).name.lower() for item in PROJECT["dependencies"]}
    # Binder takes PyTorch from conda, whose CPU build is small.
    missing = {"torch"} if name.startswith("binder") else set()
    assert wanted - pins == missing
    assert bool(missing) == any(str(item).startswith("pytorch-cpu") for item in conda)


@pytest.mark.parametrize("item", environment.requirements(PROJECT, *EXTRAS))
def test_constraints_satisfy_the_floors(item):
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


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("xbdcnn", ["reproduce"]),
        ("notebooks", ["reproduce"]),
        ("tools", ["book"]),
        ("docs", ["book"]),
        ("tests", ["reproduce", "test", "book"]),
    ],
)
def test_every_import_is_declared(folder, extras):
    declared = {
        environment.normalised(environment.project_name(item))
        for item in environment.requirements(PROJECT, *extras)
    } | {"xbdcnn", "benchmarks"}
    own = {path.stem for name in ("tools", "tests", "docs") for path in (ROOT / name).rglob("*.py")}
    providers = importlib.metadata.packages_distributions()
    for path in sorted((ROOT / folder).rglob("*.py")):
        names = {name.partition(".")[0] for name in imported(path)}
        for name in names - set(sys.stdlib_module_names) - own - {"__future__", "xbdcnn"}:
            found = {environment.normalised(provider) for provider in providers.get(name, [name])}
            assert found & declared, f"{path.relative_to(ROOT)} imports {name}: not declared"


def test_rooms_stand_on_the_floors_that_their_imports_give():
    assert floors(rooms()) == FLOORS


def test_imports_have_no_circle():
    graph = {dotted(path): siblings(path) for path in MODULES[1:]}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_import_is_instant(fresh_import):
    assert fresh_import["seconds"] < 2


@pytest.mark.parametrize(
    "heavy", ["torch", "matplotlib", "ipywidgets", "papermill", "bm3d", "skimage", "pandas"]
)
def test_import_brings_in_nothing_heavy(fresh_import, heavy):
    assert "xbdcnn" in fresh_import["modules"]
    assert heavy not in fresh_import["modules"]


def test_load_pretrained_is_exported_lazily():
    import xbdcnn
    from xbdcnn.inference.pretrained import load_pretrained

    assert xbdcnn.load_pretrained is load_pretrained
    assert "load_pretrained" in dir(xbdcnn)
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        _ = xbdcnn.load_everything


def test_version_is_the_same_everywhere():
    import xbdcnn

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == PROJECT["version"] == xbdcnn.__version__


def test_citation_prefers_the_paper():
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    assert paper["title"] == "X-Ray Image Enhancement Using Blind Denoising Neural Networks"
    assert [author["family-names"] for author in paper["authors"]] == ["Yin", "Qi", "Cai", "Li"]


def test_actions_are_pinned_by_commit():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    uses = [line for path in workflows for line in re.findall(r"uses: (.*)", path.read_text())]
    assert len(workflows) == 3 and uses
    for use in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", use), use


@pytest.mark.parametrize("name", [".ci/run", "binder/postBuild"])
def test_scripts_are_executable_and_parse(name):
    path = ROOT / name
    assert path.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_no_file_names_a_path_of_one_machine():
    # Not after a word, dot or slash: those are parts of longer addresses, or of base64 pictures.
    folders = r"home|Users|root|tmp|mnt|opt|work|workspace|private|var/folders"
    pattern = re.compile(rf"(?<![\w.:/+=~$}}{{-])/(?:{folders})/\w|\b[A-Z]:\\+Users\\")
    offenders = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a weights file
        hits = {match.group() for match in pattern.finditer(text)}
        offenders += [f"{path.relative_to(ROOT)}: {hit}" for hit in sorted(hits)]
    assert not offenders, offenders
