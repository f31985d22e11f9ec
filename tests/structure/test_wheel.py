"""The wheel works in an environment that holds nothing but the hard dependencies."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import environment
import numpy as np
import pytest
from packaging.requirements import Requirement
from paths import ROOT
from PIL import Image

PROJECT = environment.read_project()

pytestmark = pytest.mark.slow


def hard_distributions() -> set[str]:
    """Return the hard dependencies and everything that they require, by normalised name."""
    found, waiting = set(), list(PROJECT["dependencies"])
    while waiting:
        requirement = Requirement(waiting.pop())
        name = environment.normalised(requirement.name)
        if name not in found and (not requirement.marker or requirement.marker.evaluate()):
            found.add(name)
            waiting += importlib.metadata.requires(name) or []
    return found


def link_distribution(name: str, folder: Path) -> None:
    """Link every top-level file and folder that a distribution installed into `folder`."""
    distribution = importlib.metadata.distribution(name)
    for entry in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
        if not (link := folder / entry).exists():
            link.symlink_to(Path(distribution.locate_file(entry)))


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed; return what it prints."""
    ended = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory) -> Path:
    """Install the wheel into an environment with the hard dependencies only; no network needed."""
    home = tmp_path_factory.mktemp("wheel")
    linked = home / "linked"
    linked.mkdir()
    for name in hard_distributions():
        link_distribution(name, linked)
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv")
    bin_folder = home / "venv" / "bin"
    installed = sysconfig.get_path("purelib", vars={"base": str(home / "venv")})
    (Path(installed) / "linked.pth").write_text(f"{linked}\n")
    pip = [sys.executable, "-m", "pip", "--python", bin_folder / "python"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return bin_folder


def test_wheel_holds_the_package_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"xbdcnn", f"xbdcnn-{PROJECT['version']}.dist-info"}
    assert {"xbdcnn/py.typed", "xbdcnn/weights/xbdcnn.safetensors"} <= set(names)
    shipped = [name for name in names if name.startswith("xbdcnn/data/chestxray8/")]
    assert len(shipped) == 7 and "xbdcnn/data/chestxray8/ATTRIBUTION.md" in shipped


@pytest.mark.parametrize("absent", ["pandas", "scipy", "matplotlib", "papermill", "bm3d"])
def test_environment_of_the_wheel_lacks_the_extras(scripts, tmp_path, absent):
    code = f"from importlib.util import find_spec; print(find_spec({absent!r}))"
    assert run(scripts / "python", "-c", code, cwd=tmp_path) == "None\n"


def test_load_pretrained_needs_no_extra(scripts, tmp_path):
    code = (
        "import xbdcnn; assert 'venv' in xbdcnn.__file__, xbdcnn.__file__; "
        "from xbdcnn import load_pretrained; load_pretrained('xbdcnn'); print(xbdcnn.__version__)"
    )
    printed = run(scripts / "python", "-c", code, cwd=tmp_path)
    assert printed == f"{PROJECT['version']}\n"


def test_help_needs_no_extra(scripts, tmp_path):
    assert "denoise" in run(scripts / "xbdcnn", "--help", cwd=tmp_path)


def test_denoise_needs_no_extra(scripts, tmp_path):
    noisy = np.random.default_rng(0).integers(60, 200, (64, 64), dtype=np.uint8)
    Image.fromarray(noisy).save(tmp_path / "chest.png")
    run(scripts / "xbdcnn", "denoise", "chest.png", "-o", "restored", cwd=tmp_path)
    restored = np.asarray(Image.open(tmp_path / "restored" / "chest.png"), dtype=float)
    assert restored.shape == noisy.shape
    assert restored.std() < noisy.std()
