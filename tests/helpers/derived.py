"""Restore DICOM objects without a network, and check the derived ones."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import dicoms
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import batch
from xbdcnn.inference.pretrained import Levels
from xbdcnn.models import Denoised

VALIDATOR = shutil.which("dciodvfy")
needs_validator = pytest.mark.skipif(
    not VALIDATOR, reason="dciodvfy is not installed; it is in Debian's package dicom3tools"
)

FULL_RANGE = {"WindowCenter": 2048, "WindowWidth": 4096}
"""The window from 0 to 4095."""


class Brighter:
    """Replaces a network: adds a tenth of the range to every pixel."""

    name, level_error, training_noise = "brighter", None, "paper"

    def restore(self, image: np.ndarray, **options: object) -> Denoised:
        assert image.dtype == np.float32 and 0 <= image.min() <= image.max() <= 1
        return Denoised((image + np.float32(0.1)).clip(0, 1), Levels(0.75, 6.25))


def validator_messages(path: Path) -> set[str]:
    """Return all messages of the independent validator."""
    run = subprocess.run([VALIDATOR, path], capture_output=True, text=True, check=False)
    return set(run.stderr.splitlines())


def restored(tmp_path: Path, header: Dataset) -> tuple[Path, Dataset]:
    """Write an object, restore it, and return the source's path and the derived object."""
    source = dicoms.write(tmp_path / "in.dcm", header)
    target = tmp_path / "out" / "in.dcm"
    batch.denoise_file(Brighter(), source, target, overwrite=True)
    return source, pydicom.dcmread(target)


def refused(path: Path) -> str:
    """Return the only line of the error of denoising a file, without the name of the file."""
    with pytest.raises(XbdcnnError) as caught:
        batch.denoise_file(Brighter(), path, path.with_name("refused.dcm"))
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")
