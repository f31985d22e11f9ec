"""The built-in radiograph: a chest radiograph from the package pydicom-data."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError

EXPOSED = (slice(32, 1952), slice(0, 1792))
"""The exposed area: without the collimator's edge at the top and the detector's at the right."""

# The square of the exposed area that the chest fills.
_CHEST = (slice(32, 1824), slice(0, 1792))
STORED_BLACK, STORED_WHITE = 25000.0, 2000.0
"""Stored values that `builtin_radiograph` shows as black and as white."""


BUILTIN_LAYOUT = (
    ("train", "table2", "train", "val"),
    ("train", "test", "train", "table2"),
    ("table2", "val", "train", "train"),
    ("test", "train", "table2", "train"),
)
"""Split of each of the 4 x 4 fields of the chest of the built-in radiograph."""


def builtin_path() -> Path:
    """Return the path of the DICOM file of `builtin_radiograph`; XbdcnnError if it is absent."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        raise XbdcnnError(
            "RG1_UNCR.dcm: the package pydicom-data is not installed; pip install 'xbdcnn[train]'"
        )
    return Path(path)


@lru_cache(maxsize=1)
def builtin_radiograph() -> NDArray[np.float32]:
    """g = log(25000 / q) / log(25000 / 2000), clipped to [0, 1], of the stored value q.

    The PA chest radiograph RG1_UNCR.dcm of the package pydicom-data, in the orientation in which
    it is stored: upright, the patient's left on the right of the image (patient orientation
    L\\F). It is MONOCHROME1: large stored values are dark.

    The window of the header contains all stored values, in which the chest has little
    contrast (mean 194 of 255). The logarithm from 2000 (white) to 25000 (black) clips 0.2 % of
    the pixels and gives the chest a mean of 139 grey levels, the upper end of the 127 to 139
    that Table II of the paper implies for its own images (notebook 01).

    The edges of the collimator at the top and of the detector at the right are cropped.

    Returns:
        (1920, 1792) float32 in [0, 1], 1 = white; cached, hence read-only.

    Raises:
        XbdcnnError: pydicom-data is not installed.
    """
    import pydicom

    stored = pydicom.dcmread(builtin_path()).pixel_array[EXPOSED].astype(np.float64)
    grey = np.log(STORED_BLACK / stored) / np.log(STORED_BLACK / STORED_WHITE)
    image = grey.clip(0, 1).astype(np.float32)
    image.setflags(write=False)
    return image


def builtin_crop(size: int = 1024) -> NDArray[np.float32]:
    """Return the chest of the built-in radiograph, (size, size) float32 in [0, 1], 1 = white.

    The square that the chest fills, 1792 pixels wide, reduced to `size` by area averaging, which
    resembles the images of ChestX-ray8. XbdcnnError if size is not in 16 to 1792.
    """
    from PIL import Image

    chest = builtin_radiograph()[_CHEST]
    if not SMALLEST_SIDE <= size <= len(chest):
        raise XbdcnnError(
            f"size {size}: choose {SMALLEST_SIDE} to 1792 for the built-in radiograph"
        )
    reduced = Image.fromarray(chest).resize((size, size), Image.Resampling.BOX)
    return np.array(reduced).clip(0, 1)


def builtin_fields(split: str) -> list[NDArray[np.float32]]:
    """Return the disjoint fields of a split: 448 x 448 float32 in [0, 1], at full resolution.

    `BUILTIN_LAYOUT` divides the chest into 8 fields for train, 2 for val, 2 for test and 4 for
    table2; the four lie in different rows and columns and have a mean of 140 grey levels. All
    fields show one patient, so results on them do not generalise to other patients.
    """
    chest = builtin_radiograph()
    return [chest[field].copy() for field in field_slices(split)]


def field_slices(split: str) -> list[tuple[slice, slice]]:
    """Return rows and columns of the fields of a split within `builtin_radiograph`."""
    rows, columns = _CHEST
    side = (rows.stop - rows.start) // len(BUILTIN_LAYOUT)
    return [
        (
            slice(rows.start + row * side, rows.start + (row + 1) * side),
            slice(columns.start + column * side, columns.start + (column + 1) * side),
        )
        for row, names in enumerate(BUILTIN_LAYOUT)
        for column, name in enumerate(names)
        if name == split
    ]
