"""What `load_pretrained` imports in a new interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST_MODULES = 19
"""Modules of this package that `load_pretrained` may import."""

CODE = """
import json, sys
from xbdcnn import load_pretrained
load_pretrained()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def modules() -> list[str]:
    """Return the names of the modules that a new interpreter imports for `load_pretrained`."""
    run = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def test_load_pretrained_imports_few_modules_of_the_package(modules):
    own = [name for name in modules if name == "xbdcnn" or name.startswith("xbdcnn.")]
    assert len(own) <= MOST_MODULES, own


@pytest.mark.parametrize("name", ["pandas", "scipy", "matplotlib", "pydicom", "skimage", "PIL"])
def test_load_pretrained_imports_no_other_heavy_package(modules, name):
    assert "torch" in modules and name not in modules


@pytest.mark.parametrize("name", ["data", "study", "training"])
def test_load_pretrained_imports_nothing_of_data_study_and_training(modules, name):
    package = f"xbdcnn.{name}"
    assert not [module for module in modules if f"{module}.".startswith(f"{package}.")]
