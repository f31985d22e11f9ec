"""The project's notebooks: sources and executed copies agree, the pipeline runs, nbval passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import jupytext
import papermill
import pytest
from paths import ROOT

from xbdcnn._common.files import sha256_of
from xbdcnn.study.reproduce.execution import PARAMETERS, read_notebook
from xbdcnn.study.reproduce.freshness import file_stamps
from xbdcnn.study.reproduce.pipeline import Outcome, reproduce
from xbdcnn.study.reproduce.repeating import read_run
from xbdcnn.study.table_differences import compare_files

SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
EXPECTED = [
    "00_start_here",
    "01_noise_synthesis",
    "02_data",
    "03_model_tour",
    "04_losses_and_metrics",
    "05_train",
    "06_tables",
    "07_ablations",
    "08_figure_2",
    "09_noise_explorer",
    "10_exercises",
    "11_audit",
    "12_your_own_radiograph",
    "13_detectability",
]
MAX_BYTES = 1_500_000
HEADINGS = ("do", "learn", "need", "theory", "discussion", "questions")
"""Words in the headings of every notebook, in this order."""

each = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def parameters_cell(content) -> int:
    """Return the index of the one cell that is tagged `parameters`."""
    tagged = [
        index
        for index, cell in enumerate(content.cells)
        if "parameters" in cell.metadata.get("tags", [])
    ]
    assert len(tagged) == 1
    return tagged[0]


def test_every_notebook_has_a_source_and_an_executed_copy():
    folder = ROOT / "notebooks"
    assert [source.stem for source in SOURCES] == EXPECTED
    assert sorted(path.stem for path in folder.glob("*.ipynb")) == EXPECTED


@each
def test_executed_notebook_is_in_sync_with_its_source(source):
    executed = jupytext.read(source.with_suffix(".ipynb"))
    expected = read_notebook(source).content
    assert [(c.cell_type, c.source) for c in executed.cells] == [
        (c.cell_type, c.source) for c in expected.cells
    ]
    assert [c.id for c in executed.cells] == [c.id for c in expected.cells]


@each
def test_executed_notebook_has_outputs_and_no_error(source):
    path = source.with_suffix(".ipynb")
    assert path.stat().st_size < MAX_BYTES
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs and not [o for o in outputs if o.output_type == "error"]


@each
def test_parameters_cell_assigns_the_three_parameters_with_their_defaults(source):
    content = read_notebook(source).content
    parameters_cell(content)
    found = papermill.inspect_notebook(content)
    defaults = {name: facts["default"] for name, facts in found.items()}
    assert tuple(defaults) == PARAMETERS
    assert defaults == {"profile": '"quick"', "data": "None", "output": '"../reproduction"'}


@each
def test_headings_follow_the_common_structure(source):
    cells = read_notebook(source).content.cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    headings = [h.lower() for h in re.findall(r"^#{1,6} +(.+)$", text, flags=re.MULTILINE)]
    places = [
        next((i for i, h in enumerate(headings) if re.search(rf"\b{word}\b", h)), None)
        for word in HEADINGS
    ]
    assert None not in places, f"no heading with {HEADINGS[places.index(None)]!r} in {headings}"
    assert places == sorted(places)


def test_figures_match_their_recorded_digests():
    record = json.loads((ROOT / "figures" / "provenance.json").read_text())
    assert sorted(record["notebooks"]) == EXPECTED
    for name, entry in record["notebooks"].items():
        assert entry["profile"] != "smoke", name
        for file, digest in entry["files"].items():
            assert sha256_of(ROOT / file) == digest, f"{file} differs: run `make notebooks`"


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> tuple[Path, list[Outcome]]:
    """Run every notebook once at profile smoke; return the output folder and the outcomes."""
    output = tmp_path_factory.mktemp("smoke") / "reproduction"
    return output, reproduce("smoke", output=output, notebooks=ROOT / "notebooks", progress=False)


@pytest.mark.slow
def test_pipeline_runs_every_notebook_and_writes_tables_and_figures(smoke):
    output, outcomes = smoke
    assert [(o.name, o.status) for o in outcomes] == [(name, "done") for name in EXPECTED]
    assert sorted(p.stem for p in (output / "notebooks").iterdir()) == EXPECTED
    for number in (1, 2):
        for suffix in ("csv", "md", "tex"):
            assert (output / "tables" / f"table_{number}.{suffix}").stat().st_size > 100
    names = [path.stem for path in (output / "figures").iterdir()]
    for number in (1, 2):
        assert any(re.search(rf"fig(ure)?_?{number}\b", name) for name in names), names


@pytest.mark.slow
def test_second_run_of_the_pipeline_skips_every_notebook(smoke):
    output, outcomes = smoke
    before = file_stamps(output)
    again = reproduce("smoke", output=output, notebooks=ROOT / "notebooks", progress=False)
    assert [o.status for o in again] == ["unchanged"] * len(outcomes)
    assert file_stamps(output) == before


@pytest.mark.slow
def test_two_runs_give_the_same_tables(smoke, tmp_path):
    """Run notebook 06 once more, in another folder."""
    recorded = read_run(smoke[0])
    name = "06_tables"
    recorded.facts["notebooks"] = {name: recorded.facts["notebooks"][name]}
    reproduce("smoke", output=tmp_path, only=["06"], notebooks=ROOT / "notebooks", progress=False)
    tables = compare_files(recorded.tables, tmp_path / "tables")
    assert len(tables) == 6 and (tables["values"] > 20).all()
    assert (tables["differing"] == 0).all(), tables


def smoke_copy(committed: Path, folder: Path, output: Path) -> None:
    """Copy a committed notebook with `profile` and `output` of its parameters cell replaced."""
    content = jupytext.read(committed)
    cell = content.cells[parameters_cell(content)]
    cell.source, profiles = re.subn(r"(?m)^profile = .*$", 'profile = "smoke"', cell.source)
    cell.source, outputs = re.subn(r"(?m)^output = .*$", f"output = {str(output)!r}", cell.source)
    assert (profiles, outputs) == (1, 1)
    jupytext.write(content, folder / committed.name, fmt="ipynb")


def run_nbval(names: list[str], tmp_path: Path) -> None:
    """Run committed notebooks at profile smoke with nbval; every code cell must pass.

    Outputs are compared only in cells that are tagged for it.
    """
    folder, report = tmp_path / "notebooks", tmp_path / "report.xml"
    folder.mkdir()
    (tmp_path / "output").mkdir()
    committed = [ROOT / "notebooks" / f"{name}.ipynb" for name in names]
    for path in committed:
        smoke_copy(path, folder, tmp_path / "output")
    # With these options pytest does not read this project's settings, which include coverage.
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env"]
    command += ["-q", "--color=no", "-p", "no:cacheprovider", "-c", os.devnull]
    command += [f"--rootdir={folder}", f"--junitxml={report}", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "PYTEST_ADDOPTS")}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:]
    suite = ET.parse(report).getroot().find("testsuite")
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    cells = [cell for path in committed for cell in jupytext.read(path).cells]
    code = [cell for cell in cells if cell.cell_type == "code" and cell.source.strip()]
    assert code
    assert counts == {"tests": len(code), "failures": 0, "errors": 0, "skipped": 0}


@pytest.mark.slow
def test_nbval_runs_the_shortest_committed_notebooks(tmp_path):
    """The pipeline above runs the sources of all; the weekly run has nbval run all, too."""
    run_nbval(["00_start_here", "03_model_tour"], tmp_path)


@pytest.mark.long
def test_nbval_runs_every_committed_notebook(tmp_path):
    run_nbval(EXPECTED, tmp_path)
