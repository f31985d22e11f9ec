"""Denoising and help need the core installation only; a missing extra is named in one line."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import dicoms
import numpy as np
import pytest
import tifffile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from paths import ROOT
from PIL import Image
from typer.testing import CliRunner

from xbdcnn.cli import COMMANDS, app
from xbdcnn.cli.extras import EXTRAS, missing_extra

# The decoder of the extra jpeg is a plug-in: pylibjpeg imports it wherever it is installed.
OPTIONAL = [module for extra in EXTRAS if extra != "jpeg" for module in EXTRAS[extra]]

WITHOUT_EXTRAS = '''
import json, sys

class Without:
    """A finder that does not find the blocked modules, as if they were not installed."""

    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in blocked:
            return self.finder.find_spec(name, path, target)

blocked = set(json.loads(sys.argv[1]))
sys.meta_path[:] = map(Without, sys.meta_path)
sys.argv[1:] = sys.argv[2:]
'''
"""Start of a script that runs as if the modules in its first argument were not installed."""

COMMAND_LINE = WITHOUT_EXTRAS + "from xbdcnn.cli import app; app()"


def python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script in a new interpreter without the optional modules."""
    command = [sys.executable, "-c", script, json.dumps(OPTIONAL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["pandas", "scipy", "skimage", "matplotlib", "IPython"])
def test_optional_modules_are_blocked(module):
    result = python(WITHOUT_EXTRAS + f"import {module}")
    assert result.returncode == 1 and f"No module named '{module}'" in result.stderr


@pytest.mark.slow
def test_denoise_and_estimate_need_the_core_installation_only(tmp_path, weights):
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(dicoms.ramp(8)).save(images / "a.png")
    tifffile.imwrite(images / "b.tif", dicoms.ramp(16))
    dicoms.write(images / "c.dcm", dicoms.radiograph("DX"))
    out = tmp_path / "out"
    result = python(COMMAND_LINE, "denoise", images, "-o", out, "--network", weights)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.tif", "c.dcm"]
    result = python(COMMAND_LINE, "estimate", images / "a.png", "--network", weights)
    assert result.returncode == 0 and "measured noise" in result.stdout, result.stderr


@pytest.mark.slow
def test_every_help_needs_the_core_installation_only():
    result = python(COMMAND_LINE, "--help")
    assert result.returncode == 0, result.stderr
    for functions in COMMANDS.values():
        for function in functions:
            name = function.__name__.replace("_", "-")
            assert name in result.stdout
            command_help = python(COMMAND_LINE, name, "--help")
            assert command_help.returncode == 0 and "Usage:" in command_help.stdout


def test_load_radiograph_needs_the_core_installation_only(tmp_path):
    Image.fromarray(dicoms.ramp(8)).save(tmp_path / "a.png")
    load = "from xbdcnn.data import load_radiograph; print(load_radiograph(sys.argv[1]).mean())"
    result = python(WITHOUT_EXTRAS + load, tmp_path / "a.png")
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) == pytest.approx(np.mean(dicoms.ramp(8) / 255), abs=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        ["reproduce", "--profile", "smoke"],
        ["train", "dncnn", "--profile", "smoke"],
        ["trials", "recipe"],
        ["seeds"],
        ["evaluate", "--profile", "smoke"],
        ["audit", "calibration"],
        ["fetch-sample"],
        ["export", "tiny", "absent/tiny.onnx"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_missing_extra_is_one_line_and_exit_code_1(arguments):
    result = python(COMMAND_LINE, *arguments)
    assert result.returncode == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"xbdcnn: error: '{arguments[0]}' needs ")
    assert ", which is not installed; pip install 'xbdcnn[" in line


def run_with_error(monkeypatch, error: Exception, *options: str):
    """Run `fetch-sample` with a download that raises an error."""

    def fail(folder, progress):
        raise error

    monkeypatch.setattr("xbdcnn.data.sample.fetch_sample", fail)
    return CliRunner().invoke(app, [*options, "fetch-sample"])


def test_message_names_command_package_and_extra(monkeypatch):
    error = ModuleNotFoundError("No module named 'skimage'", name="skimage.metrics")
    result = run_with_error(monkeypatch, error)
    assert result.exit_code == 1 and result.stderr == (
        "xbdcnn: error: 'fetch-sample' needs scikit-image, which is not installed; "
        "pip install 'xbdcnn[train]'\n"
    )


def test_debug_raises_the_error_of_a_missing_extra(monkeypatch):
    error = ModuleNotFoundError("No module named 'pooch'", name="pooch")
    result = run_with_error(monkeypatch, error, "--debug")
    assert result.exception.__cause__ is error


def test_other_import_errors_are_raised(monkeypatch):
    error = ModuleNotFoundError("No module named 'xbdcnn.absent'", name="xbdcnn.absent")
    assert run_with_error(monkeypatch, error).exception is error


def test_import_error_of_a_library_is_traced_to_its_cause():
    error = ImportError("Missing optional dependency 'tabulate'.")
    assert missing_extra(error) is None
    error.__cause__ = ModuleNotFoundError("No module named 'tabulate'", name="tabulate")
    assert missing_extra(error) == "tabulate, which is not installed; pip install 'xbdcnn[train]'"


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_are_those_of_the_project(extra):
    project = tomllib.loads(Path(ROOT, "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = map(Requirement, project["optional-dependencies"][extra])
    declared = {canonicalize_name(requirement.name) for requirement in requirements}
    assert {canonicalize_name(package) for package in EXTRAS[extra].values()} <= declared
