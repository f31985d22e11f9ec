"""Reproduction of tiny notebooks: execution, skipping, failures and publication."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import jupytext
import publish
import pytest
from notebook_runs import isolate, write
from typer.testing import CliRunner

from xbdcnn import cli
from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.study.reproduce import execution, freshness, sources
from xbdcnn.study.reproduce.execution import NotebookFailed
from xbdcnn.study.reproduce.pipeline import reproduce

FIRST = """
# %%
import sys
from pathlib import Path
figures = Path(output, "figures")
figures.mkdir(exist_ok=True)

# %%
(figures / "first.txt").write_text(f"{profile} {data}")

# %%
(figures / "python.txt").write_text(sys.executable)
print("hello")
"""

SECOND = """
# %%
from pathlib import Path
tables = Path(output, "tables")
tables.mkdir(exist_ok=True)
(tables / "second.csv").write_text(Path(output, "figures", "first.txt").read_text())
"""


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]


def error_lines(result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("xbdcnn: error:")]


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A clone with two notebooks, of which the second needs the first, and their reproduction."""
    clone = tmp_path_factory.mktemp("clone")
    write(clone / "notebooks", "00_first", FIRST)
    write(clone / "notebooks", "01_second", SECOND, "needs:00_first")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, clone)
        outcomes = reproduce(output=clone / "out", notebooks=clone / "notebooks", progress=False)
    assert statuses(outcomes) == ["done", "done"]
    return clone


@pytest.fixture
def clone(finished, tmp_path):
    """A copy of `finished` that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "clone"))


def again(clone: Path, **options) -> list[str]:
    options = {"output": clone / "out", "notebooks": clone / "notebooks", **options}
    return statuses(reproduce(progress=False, **options))


def entries(clone: Path) -> dict:
    return json.loads((clone / "out" / "provenance.json").read_text())["notebooks"]


def test_run_passes_parameters_and_uses_this_interpreter(finished):
    out = finished / "out"
    assert (out / "tables" / "second.csv").read_text() == "quick None"
    assert (out / "figures" / "python.txt").read_text() == sys.executable
    executed = jupytext.read(out / "notebooks" / "00_first.ipynb")
    assert executed.cells[-1].outputs[0].text == "hello\n"
    assert sorted(path.name for path in (out / "notebooks").iterdir()) == [
        "00_first.ipynb",
        "01_second.ipynb",
    ]


def test_parts_that_the_tables_lack_are_named_before_a_notebook_runs(tmp_path, monkeypatch):
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    write(folder, "00_first", FIRST)
    write(folder, "06_tables", "\n# %%\ntables.run_table(1, settings)\n")
    monkeypatch.setattr("xbdcnn.baselines.independent.networks_folder", lambda: tmp_path)
    with pytest.raises(XbdcnnError, match="run `xbdcnn fetch-networks`"):
        reproduce("cpu", output=out, notebooks=folder, progress=False)
    assert not out.exists()
    outcomes = reproduce("cpu", output=out, only="00", notebooks=folder, progress=False)
    assert statuses(outcomes) == ["done"]


def test_provenance_names_every_file_but_no_local_path(finished):
    text = (finished / "out" / "provenance.json").read_text()
    record = json.loads(text)
    assert (record["profile"], record["data"]) == ("quick", "built-in radiograph")
    assert len(record["data_sha256"]) == 64 and "torch" in record["versions"]
    first, second = record["notebooks"]["00_first"], record["notebooks"]["01_second"]
    assert set(first["files"]) == {
        "figures/first.txt",
        "figures/python.txt",
        "notebooks/00_first.ipynb",
    }
    assert set(second["files"]) == {"notebooks/01_second.ipynb", "tables/second.csv"}
    for name, digest in {**first["files"], **second["files"]}.items():
        assert sha256_of(finished / "out" / name) == digest
    assert first["seconds"] > 0 and first["finished"].endswith("+00:00")
    assert str(Path.home()) not in text and str(finished) not in text and '"/' not in text


def test_second_run_skips_everything_and_changes_nothing(clone):
    before = freshness.file_stamps(clone / "out")
    record = (clone / "out" / "provenance.json").read_bytes()
    assert again(clone) == ["unchanged", "unchanged"]
    assert freshness.file_stamps(clone / "out") == before
    assert (clone / "out" / "provenance.json").read_bytes() == record


def test_force_executes_unchanged_notebooks(clone):
    assert again(clone, force=True, only=["1"]) == ["done"]


def test_changed_source_reruns_only_that_notebook(clone):
    write(clone / "notebooks", "01_second", SECOND + "print(2)\n", "needs:00_first")
    assert again(clone) == ["unchanged", "done"]


def test_changed_source_reruns_dependent_notebooks(clone):
    key = entries(clone)["01_second"]["key"]
    write(clone / "notebooks", "00_first", FIRST + "print(1)\n")
    assert again(clone) == ["done", "done"]
    assert entries(clone)["01_second"]["key"] != key


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("altered")])
def test_missing_or_altered_product_reruns_its_notebook(clone, spoil):
    spoil(clone / "out" / "tables" / "second.csv")
    assert again(clone) == ["unchanged", "done"]
    assert (clone / "out" / "tables" / "second.csv").read_text() == "quick None"


@pytest.mark.parametrize("changed", ["profile", "data", "package", "versions", "needed"])
def test_key_depends_on_every_input(clone, changed, monkeypatch):
    source = clone / "notebooks" / "00_first.py"
    given = {"profile": "quick", "data_sha256": "0", "needed": {}}
    before = freshness.key_of(source, **given)
    assert freshness.key_of(source, **given) == before
    if changed == "package":
        monkeypatch.setattr(freshness, "dependency_digest", lambda source: "other")
    elif changed == "versions":
        monkeypatch.setattr(freshness, "installed_versions", lambda: {"torch": "0"})
    else:
        other = {"profile": "cpu", "data": "1", "needed": {"05_train": "key"}}
        given |= {"data_sha256" if changed == "data" else changed: other[changed]}
    assert freshness.key_of(source, **given) != before


def test_failure_stops_names_the_cell_and_exits_1(clone):
    write(clone / "notebooks", "01_second", '\n# %%\nvalue = 1\nraise OSError("no\\nluck")\n')
    write(clone / "notebooks", "02_third", SECOND)
    arguments = ["reproduce", "--output", str(clone / "out"), "--notebooks"]
    result = CliRunner().invoke(cli.app, [*arguments, str(clone / "notebooks")])
    assert result.exit_code == 1
    message = "01_second, cell 3 `value = 1`: OSError: no luck; see notebooks/"
    assert error_lines(result) == [f"xbdcnn: error: {message}01_second.failed.ipynb"]
    failed = jupytext.read(clone / "out" / "notebooks" / "01_second.failed.ipynb")
    assert any(o.output_type == "error" for c in failed.cells for o in c.get("outputs", []))
    assert not (clone / "out" / "notebooks" / "02_third.ipynb").exists()
    assert set(entries(clone)) == {"00_first"}
    assert not list((clone / "out").rglob(".tmp-*"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os\nos._exit(3)", "Kernel died"),
        ("import sys\nsys.exit(0)", "SystemExit: the notebook left before its end"),
    ],
)
def test_notebook_that_ends_early_has_failed(tmp_path, code, reason):
    folder = write(tmp_path / "notebooks", "00_dead", f"\n# %%\n{code}\n\n# %%\n1 + 1\n").parent
    with pytest.raises(NotebookFailed, match=f"00_dead, cell 3 `import .*{reason}"):
        reproduce(output=tmp_path / "out", notebooks=folder, progress=False)
    assert (tmp_path / "out" / "notebooks" / "00_dead.failed.ipynb").exists()
    assert not (tmp_path / "out" / "notebooks" / "00_dead.ipynb").exists()


def test_unknown_parameter_is_an_error_before_anything_runs(tmp_path):
    folder = write(tmp_path / "notebooks", "00_first", FIRST).parent
    bad = write(folder, "01_bad", SECOND)
    bad.write_text(bad.read_text().replace("data = None", "date = None"))
    with pytest.raises(XbdcnnError, match=r"01_bad\.py: unknown parameter data; its cell"):
        reproduce(output=tmp_path / "out", notebooks=folder, progress=False)
    assert not (tmp_path / "out").exists()


def test_needed_notebook_must_have_been_run(clone):
    message = "01_second needs 00_first, which has not been run in .*; run 00_first first"
    with pytest.raises(XbdcnnError, match=message):
        again(clone, only=["01"], output=clone / "elsewhere")
    with pytest.raises(XbdcnnError, match="with profile smoke"):
        again(clone, only=["01"], profile="smoke")
    (clone / "out" / "figures" / "first.txt").unlink()
    with pytest.raises(XbdcnnError, match=message):
        again(clone, only=["01"])


def test_needs_can_be_limited_to_profiles(tmp_path):
    source = write(tmp_path, "06_tables", "", "needs:05_train@cpu+paper", "needs:04_losses")
    notebook = execution.read_notebook(source)
    assert notebook.needs("quick") == ["04_losses"]
    assert notebook.needs("cpu") == ["05_train", "04_losses"]


def test_cell_ids_depend_only_on_name_and_position(tmp_path):
    source = write(tmp_path, "00_first", FIRST)
    ids = [cell.id for cell in execution.read_notebook(source).content.cells]
    assert ids == [f"00_first-{number:03d}" for number in range(1, 6)]


def test_selection_by_number_or_name(finished):
    folder = finished / "notebooks"
    for name in ("1", "01", "01_second"):
        assert [path.stem for path in sources.select(folder, [name])] == ["01_second"]
    assert len(sources.select(folder, ["01", "0", "01_second"])) == 2
    with pytest.raises(XbdcnnError, match="no notebook '7'; choose from 00_first, 01_second"):
        sources.select(folder, ["7"])
    assert sources.select(folder, "01") == sources.select(folder, ["01"])


def test_mistyped_parameter_is_refused_before_a_cell_runs(tmp_path):
    notebook = execution.read_notebook(write(tmp_path, "00_first", FIRST))
    with pytest.raises(XbdcnnError, match="unknown parameter profil; its cell"):
        execution.execute(notebook, tmp_path, {"profil": "smoke", "data": None}, False)
    assert not list(tmp_path.glob("*.ipynb"))


def test_unusable_folders_are_errors(finished, tmp_path):
    with pytest.raises(XbdcnnError, match=r"no notebooks .* run from a clone"):
        reproduce(notebooks=tmp_path)
    with pytest.raises(XbdcnnError, match="choose another output folder"):
        reproduce(notebooks=finished / "notebooks", output=finished)


@pytest.mark.parametrize("text", ["{", "[]", '{"notebooks": {"00_first": {}}}'])
def test_damaged_record_names_file_and_remedy(clone, text):
    (clone / "out" / "provenance.json").write_text(text)
    with pytest.raises(XbdcnnError, match=r"provenance\.json: not a record .* delete it"):
        again(clone)


def test_relative_data_folder_reaches_the_notebooks_as_absolute(clone, monkeypatch):
    (clone / "images").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (clone / "images" / name).write_bytes(b"never opened")
    monkeypatch.chdir(clone)
    monkeypatch.setenv("XBDCNN_DATA", "images")
    assert again(clone, only=["00"]) == ["done"]
    text = (clone / "out" / "figures" / "first.txt").read_text()
    assert text == f"quick {clone.resolve() / 'images'}"
    assert str(clone) not in (clone / "out" / "provenance.json").read_text()


def test_published_notebooks_are_clean_and_match_their_sources(clone):
    publish.publish_notebooks(clone / "out", clone)
    for name in ("00_first", "01_second"):
        source = jupytext.read(clone / "notebooks" / f"{name}.py")
        text = (clone / "notebooks" / f"{name}.ipynb").read_text()
        published = jupytext.reads(text, fmt="ipynb")
        assert [c.source for c in published.cells] == [c.source for c in source.cells]
        assert [c.id for c in published.cells] == [
            f"{name}-{n:03d}" for n in range(1, 1 + len(source.cells))
        ]
        counts = [c.execution_count for c in published.cells if c.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
        assert "papermill" not in text and str(clone) not in text and "iopub" not in text
        assert set(published.metadata) <= {"kernelspec", "language_info"}
    assert "hello" in (clone / "notebooks" / "00_first.ipynb").read_text()


def test_publish_copies_figures_tables_and_their_record(clone):
    written = publish.publish_notebooks(clone / "out", clone)
    names = {path.name for path in (clone / "figures").iterdir()}
    assert names == {"first.txt", "python.txt", "second.csv", "provenance.json"}
    record = json.loads((clone / "figures" / "provenance.json").read_text())
    files = {n: d for entry in record["notebooks"].values() for n, d in entry["files"].items()}
    assert {clone / name for name in files} == set(written)
    assert all(sha256_of(clone / name) == digest for name, digest in files.items())


def test_publish_removes_files_that_are_no_longer_produced(clone):
    publish.publish_notebooks(clone / "out", clone)
    (clone / "figures" / "by_hand.txt").write_text("kept")
    record = json.loads((clone / "out" / "provenance.json").read_text())
    del record["notebooks"]["00_first"]["files"]["figures/python.txt"]
    freshness.write_record(clone / "out", record)
    publish.publish_notebooks(clone / "out", clone)
    assert not (clone / "figures" / "python.txt").exists()
    assert (clone / "figures" / "by_hand.txt").exists()


def test_publish_of_one_notebook_keeps_the_others(clone):
    publish.publish_notebooks(clone / "out", clone)
    record = json.loads((clone / "out" / "provenance.json").read_text())
    del record["notebooks"]["00_first"]
    freshness.write_record(clone / "out", record)
    publish.publish_notebooks(clone / "out", clone)
    kept = json.loads((clone / "figures" / "provenance.json").read_text())["notebooks"]
    assert set(kept) == {"00_first", "01_second"} and (clone / "figures" / "first.txt").exists()


def relabel_smoke(clone: Path) -> None:
    record = json.loads((clone / "out" / "provenance.json").read_text())
    record["notebooks"]["01_second"]["profile"] = "smoke"
    freshness.write_record(clone / "out", record)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: (c / "out" / "provenance.json").unlink(), "no finished notebook"),
        (lambda c: (c / "out" / "tables" / "second.csv").unlink(), "01_second: .* altered"),
        (lambda c: write(c / "notebooks", "01_second", ""), "01_second: its source has changed"),
        (relabel_smoke, "01_second: smoke results"),
    ],
)
def test_publish_refuses_unfit_results_before_it_writes(clone, spoil, message):
    spoil(clone)
    with pytest.raises(XbdcnnError, match=message):
        publish.publish_notebooks(clone / "out", clone)
    assert not (clone / "figures").exists()
    assert not list((clone / "notebooks").glob("*.ipynb"))


def test_publish_refuses_large_notebooks_and_private_paths(clone, monkeypatch):
    executed = clone / "out" / "notebooks" / "00_first.ipynb"
    executed.write_text(executed.read_text().replace('"hello\\n"', '"see /some/one/notes.txt"'))
    with pytest.raises(XbdcnnError, match="00_first: shows a path below /some/one; change"):
        publish.notebook_text(executed, clone, ["/some/one"])
    publish.notebook_text(executed, clone, ["/one"])
    monkeypatch.setattr(publish, "LARGEST_NOTEBOOK", 100)
    with pytest.raises(XbdcnnError, match="00_first: larger than"):
        publish.notebook_text(executed, clone, [])


def test_command_sums_up_and_the_tool_publishes(clone, capsys):
    options = ["--output", str(clone / "out"), "--notebooks", str(clone / "notebooks")]
    result = CliRunner().invoke(cli.app, ["reproduce", *options])
    assert result.exit_code == 0, result.output
    assert "0 notebooks run in 0.0 min, 2 unchanged" in result.stdout
    assert result.stderr.splitlines() == ["00_first: unchanged", "01_second: unchanged"]
    publish.main(["notebooks", str(clone / "out"), "--repository", str(clone)])
    assert "5 files refreshed" in capsys.readouterr().out
    assert (clone / "figures" / "second.csv").exists()
