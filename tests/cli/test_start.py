"""Help and errors in the arguments do not import PyTorch; names are those of the definitions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from xbdcnn.cli import names
from xbdcnn.inference import precision, weights, zoo
from xbdcnn.models import Recipe
from xbdcnn.study.audit.experiments import EXPERIMENTS
from xbdcnn.study.profiles import PROFILES
from xbdcnn.study.series import SERIES

HEAVY = ("torch", "pandas", "matplotlib", "papermill", "pydicom")

START = f"""
import sys
from xbdcnn.cli import app
try:
    app(sys.argv[1:])
except SystemExit as exit:
    print(exit.code, *(name for name in {HEAVY} if name in sys.modules))
"""


def start(*arguments: str) -> tuple[str, str]:
    """Run a command in a new interpreter; return exit code and heavy modules, and stderr."""
    command = [sys.executable, "-c", START, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[-1], result.stderr


@pytest.mark.parametrize("command", [[], ["denoise"], ["train"], ["reproduce"]], ids=str)
def test_help_loads_nothing_heavy(command):
    assert start(*command, "--help") == ("0", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bogus"],
        ["denoise", "--bogus"],
        ["denoise", "a.png"],
        ["denoise", "a.png", "-o", "x", "--network", "unet"],
        ["denoise", "a.png", "-o", "x", "--precision", "f"],
        ["denoise", "a.png", "-o", "x", "--eta", "1"],
        ["denoise", "a.png", "-o", "x", "--shard", "5/4"],
        ["denoise", "nowhere/*.png", "-o", "x"],
        ["denoise", "a.png", "-o", "x", "--window", "7", "7"],
        ["estimate", "a.png", "--network", "unet"],
        ["export", "unet", "a.onnx"],
        ["export", "tiny", "a.safetensors"],
        ["train", "unet"],
        ["train", "dncnn", "--profile", "huge"],
        ["trials", "recipes"],
        ["seeds", "--network", "tiny"],
        ["evaluate", "--profile", "huge"],
        ["audit", "everything"],
        ["reproduce", "--profile", "huge"],
        ["reproduce", "--only", "77"],
    ],
    ids=" ".join,
)
def test_errors_in_arguments_load_nothing_heavy(arguments):
    code, line = start(*arguments)
    assert code == "2" and line.startswith("xbdcnn: error: ") and line.count("\n") == 1


def test_absent_weights_are_noticed_before_pytorch_is_imported():
    code, line = start("denoise", "a.png", "-o", "x", "--network", "absent.safetensors")
    assert code == "1" and line.startswith("xbdcnn: error: absent.safetensors: no such weights")


def test_names_are_those_of_the_definitions():
    assert list(names.PROFILES) == list(PROFILES)
    assert names.PRECISIONS == precision.PRECISIONS
    assert list(names.SERIES) == list(SERIES)
    assert list(names.EXPERIMENTS) == list(EXPERIMENTS)
    assert [*names.NETWORKS, *names.ESTIMATORS] == [*zoo.ZOO, *zoo.ESTIMATORS]
    assert list(names.SCALABLE) == [n for n, e in zoo.ZOO.items() if isinstance(e.recipe, Recipe)]
    assert names.DEFAULT_NETWORK == weights.DEFAULT
    assert names.shipped_networks() == zoo.shipped_names()
