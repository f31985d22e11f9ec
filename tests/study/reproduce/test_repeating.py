"""Repeating a recorded reproduction: same images, same numbers, and the report otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import publish
import pytest
from notebook_runs import isolate, write
from typer.testing import CliRunner

from xbdcnn import cli
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.study.reproduce import repeating
from xbdcnn.study.reproduce.pipeline import reproduce
from xbdcnn.study.table_differences import compare_files

TABLE = """
# %%
import time
from pathlib import Path
tables = Path(output, "tables")
tables.mkdir(exist_ok=True)
rows = f"method,psnr,seconds\\nBM3D,38.25,{time.perf_counter()}\\nnone,,0\\n"
(tables / "table.csv").write_text(rows)
"""


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    isolate(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A clone with one notebook that writes a table, and its reproduction in out/."""
    clone = tmp_path_factory.mktemp("clone")
    write(clone / "notebooks", "00_table", TABLE)
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, clone)
        reproduce(output=clone / "out", notebooks=clone / "notebooks", progress=False)
    return clone


@pytest.fixture
def clone(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "clone"))


def repeat(clone: Path, record: str = "out/provenance.json", *options: str):
    named = ["--from", str(clone / record), "--notebooks", str(clone / "notebooks")]
    command = ["reproduce", *named, "--output", str(clone / "again"), *options]
    return CliRunner().invoke(cli.app, command)


def alter(clone: Path, **facts) -> None:
    path = clone / "out" / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def test_a_run_is_repeated_and_its_numbers_are_the_same(clone):
    result = repeat(clone)
    assert result.exit_code == 0, result.output
    assert "1 notebooks run in" in result.stdout
    lines = result.stdout.splitlines()
    assert lines[-2].split() == ["table.csv", "4", "0", "0.0"]
    assert lines[-1] == "1 of 1 tables equal the record, except for run times"
    assert "differs from the record" not in result.stderr
    times = [pd.read_csv(clone / f / "tables/table.csv")["seconds"][0] for f in ("out", "again")]
    assert times[0] != times[1], "the notebook was executed again"


def test_published_results_can_be_repeated_too(clone):
    publish.publish_notebooks(clone / "out", clone)
    result = repeat(clone, "figures")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("1 of 1 tables equal the record, except for run times\n")


def test_other_numbers_are_counted_and_fail(clone):
    table = clone / "out" / "tables" / "table.csv"
    table.write_text(table.read_text().replace("38.25", "38.5"))
    result = repeat(clone)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-2].split() == ["table.csv", "4", "1", "0.25"]
    assert lines[-1].startswith("0 of 1 tables")


def test_a_missing_table_differs_as_a_whole(clone, tmp_path):
    run = repeating.read_run(clone / "out")
    found = compare_files(run.tables, tmp_path / "tables")
    assert found.to_dict("records") == [
        {"file": "table.csv", "values": 4, "differing": 4, "largest": float("inf")}
    ]


def test_a_table_that_is_missing_on_both_sides_differs(clone, tmp_path):
    run = repeating.read_run(clone / "out")
    (clone / "out" / "tables" / "table.csv").unlink()
    assert compare_files(run.tables, tmp_path / "tables")["differing"].tolist() == [1]


def test_a_record_without_a_finished_notebook_is_refused(clone):
    alter(clone, notebooks={})
    result = repeat(clone)
    assert result.exit_code == 1 and not (clone / "again").exists()
    assert "no finished notebook on record" in result.stderr


def test_other_versions_are_reported(clone):
    record = json.loads((clone / "out" / "provenance.json").read_text())
    alter(clone, versions=record["versions"] | {"numpy": "1.0", "old": "2"}, commit="abc")
    result = repeat(clone)
    assert result.exit_code == 0, result.output
    assert "differs from the record: numpy: 1.0 then, " in result.stderr
    assert "differs from the record: old: 2 then, none now" in result.stderr
    assert "differs from the record: commit: abc then, " in result.stderr


def test_other_images_are_refused_before_anything_runs(clone):
    alter(clone, data_sha256="0" * 64, data="ChestX-ray8 sample")
    result = repeat(clone)
    assert result.exit_code == 1 and not (clone / "again").exists()
    message = "made from ChestX-ray8 sample, not from these images (built-in radiograph)"
    assert message in result.stderr


def test_notebooks_of_another_profile_or_of_other_images_are_left_out(clone):
    record = json.loads((clone / "out" / "provenance.json").read_text())
    other = record["notebooks"]["00_table"] | {"profile": "smoke"}
    alter(clone, notebooks=record["notebooks"] | {"01_other": other})
    assert repeating.read_run(clone / "out").notebooks == ["00_table"]


def test_the_record_itself_is_never_overwritten(clone):
    before = (clone / "out" / "provenance.json").read_bytes()
    result = repeat(clone, "out", "--output", str(clone / "out"))
    assert result.exit_code == 2 and "contains the record itself" in result.stderr
    assert (clone / "out" / "provenance.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"notebooks": {}}', "incomplete; it lacks the profile"),
        ("[]", "not a record of a reproduction"),
    ],
)
def test_bad_records_are_refused(tmp_path, content, message):
    (tmp_path / "provenance.json").write_text(content)
    with pytest.raises(XbdcnnError, match=message):
        repeating.read_run(tmp_path / "provenance.json")
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(XbdcnnError, match="no record of a reproduction"):
        repeating.read_run(tmp_path / "other.json")


def test_the_same_images_pass(clone):
    repeating.require_repeatable(repeating.read_run(clone / "out"), find_source("builtin"))
