"""The built-in radiograph: a real chest radiograph that comes with pip, no data set needed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError

# Rows 32 to 1952 and columns 0 to 1792 leave out the shutter's edge at
# the top and the detector's at the right; the box is the square of it that the chest fills.
_EXPOSED = (slice(32, 1952), slice(0, 1792))
_BOX = (slice(32, 1824), slice(0, 1792))
_STORED_WHITE, _STORED_BLACK = 2000.0, 25000.0


BUILTIN_LAYOUT = (
    ("train", "table2", "train", "val"),
    ("train", "test", "train", "table2"),
    ("table2", "val", "train", "train"),
    ("test", "train", "table2", "train"),
)
"""Which split each of the 4 x 4 fields of the built-in radiograph's chest belongs to."""


def builtin_path() -> Path:
    """Return the path of the DICOM file behind `builtin_radiograph`; XbdcnnError if absent."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        raise XbdcnnError("RG1_UNCR.dcm: the package is missing; run 'pip install pydicom-data'")
    return Path(path)


@lru_cache(maxsize=1)
def builtin_radiograph() -> NDArray[np.float32]:
    """Return the real PA chest radiograph that the package pydicom-data ships (RG1_UNCR.dcm).

    g = log(25000 / q) / log(25000 / 2000), cut to [0, 1], of the stored value q.

    Orientation: as stored. The header says patient orientation L\\F: upright, and the patient's
    left, with the heart, on the viewer's right. MONOCHROME1: large stored values are dark.

    Grey scale: the header's window is the whole stored range, in which the chest is washed out
    (mean 194 of 255). A logarithm between 2000 (white) and 25000 (black), which cuts 0.2 % of
    the pixels, gives the chest a mean of 139 grey levels, at the upper end of the 127 to 139
    that Table II of the paper implies for its own images (notebook 01).

    Border: the shutter's edge at the top and the detector's at the right are cut off.

    Returns:
        (1920, 1792) float32 in [0, 1], 1 = white; cached, hence read-only.

    Raises:
        XbdcnnError: pydicom-data is not installed.
    """
    import pydicom

    stored = pydicom.dcmread(builtin_path()).pixel_array[_EXPOSED].astype(np.float64)
    grey = np.log(_STORED_BLACK / stored) / np.log(_STORED_BLACK / _STORED_WHITE)
    image = grey.clip(0, 1).astype(np.float32)
    image.setflags(write=False)
    return image


def builtin_crop(size: int = 1024) -> NDArray[np.float32]:
    """Return the chest of the built-in radiograph, (size, size) float32 in [0, 1], 1 = white.

    The square that the chest fills, 1792 pixels wide, averaged over areas down to `size`: framed
    and reduced as ChestX-ray8 images are. XbdcnnError if size is not in 16 to 1792.
    """
    from PIL import Image

    box = builtin_radiograph()[_BOX]
    if not SMALLEST_SIDE <= size <= len(box):
        raise XbdcnnError(f"size {size}: the built-in radiograph gives {SMALLEST_SIDE} to 1792")
    reduced = Image.fromarray(box).resize((size, size), Image.Resampling.BOX)
    return np.array(reduced).clip(0, 1)


def builtin_fields(split: str) -> list[NDArray[np.float32]]:
    """Return the fields of a split: disjoint, 448 x 448 float32 in [0, 1], at full resolution.

    `BUILTIN_LAYOUT` divides the chest into 8 fields to train on, 2 val, 2 test and 4 table2; the
    four lie in four rows and four columns, with a mean of 140 grey levels together. All fields
    show the one patient, so a number measured on them says nothing about another patient.
    """
    box = builtin_radiograph()[_BOX]
    side = len(box) // len(BUILTIN_LAYOUT)
    corners = np.ndindex(len(BUILTIN_LAYOUT), len(BUILTIN_LAYOUT[0]))
    return [
        box[row * side :, column * side :][:side, :side].copy()
        for row, column in corners
        if BUILTIN_LAYOUT[row][column] == split
    ]
