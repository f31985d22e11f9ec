"""The files around the code agree with it: floors, versions, workflows, documents, paths."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import environment
import pytest
import yaml
from architecture import MODULES, dotted, floors, rooms, siblings
from paths import ROOT

# Lowest first. A room (a module or a folder of modules directly below xbdcnn) imports from lower
# floors only and is on the lowest floor that its imports allow.
FLOORS = (
    {"_common", "paper"},
    {"data", "metrics", "noise"},
    {"detector", "models"},
    {"baselines", "level_estimator", "losses", "measured_noise"},
    {"successor"},
    {"inference"},
    {"plotting", "training"},
    {"study"},
    {"cli", "explorer"},
    {"__main__"},
)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "TEACHING.md", "docs/architecture.md")
PROJECT = environment.read_project()
assert MODULES[0].name == "__init__.py"


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


def test_rooms_are_on_the_floors_that_their_imports_give():
    assert floors(rooms()) == FLOORS


def test_imports_have_no_cycle():
    graph = {dotted(path): siblings(path) for path in MODULES[1:]}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


def test_import_is_instant(fresh_import):
    assert fresh_import["seconds"] < 2


@pytest.mark.parametrize(
    "heavy", ["torch", "matplotlib", "ipywidgets", "papermill", "bm3d", "skimage", "pandas"]
)
def test_import_loads_nothing_heavy(fresh_import, heavy):
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
    wheels = re.findall(r"xbdcnn-([\d.]+)-py3", (ROOT / "README.md").read_text())
    assert set(wheels) <= {xbdcnn.__version__}


def test_changelog_begins_with_the_current_version():
    released = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert released[0] == PROJECT["version"]
    assert len(released) == len(set(released))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_existing_make_targets(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", (ROOT / name).read_text(), flags=re.M)
    assert set(named) <= targets


def test_pull_requests_are_checked_with_the_oldest_and_the_newest_python():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert {"lint", "types", "wheel", "test"} <= set(jobs)
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]


def test_citation_prefers_the_paper():
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    assert paper["title"] == "X-Ray Image Enhancement Using Blind Denoising Neural Networks"
    assert [author["family-names"] for author in paper["authors"]] == ["Yin", "Qi", "Cai", "Li"]


def test_codecheck_names_the_paper_and_existing_files():
    check = yaml.safe_load((ROOT / "codecheck.yml").read_text())
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    names = [f"{a['given-names']} {a['family-names']}" for a in paper["authors"]]
    assert check["paper"]["title"] == paper["title"]
    assert [author["name"] for author in check["paper"]["authors"]] == names
    files = [entry["file"] for entry in check["manifest"]]
    assert len(files) == 5 and all((ROOT / file).is_file() for file in files)


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
