"""Six chest radiographs of ChestX-ray8 that are part of this package.

They are among the ten test radiographs of Table II, so no network of this project was trained on
them or selected by them. The files are those of the NIH Clinical Center, unchanged; the folder
`chestxray8` states their licence and attribution, `data.sample.ATTRIBUTION` the latter in short.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.radiograph import load_radiograph

FOLDER = Path(__file__).with_name("chestxray8")
"""Folder of the files, `NAME.png`, with their attribution."""

CHESTS = {
    "00001368_000": "PA, No Finding",
    "00010022_000": "AP, Hernia",
    "00014548_000": "PA, Atelectasis, Fibrosis, Infiltration, Mass",
    "00022014_000": "PA, Fibrosis",
    "00027061_000": "AP, Edema",
    "00027195_000": "PA, Mass",
}
"""View and findings of each radiograph by name. The findings are labels of the data set, which were
extracted from reports by a program (Wang et al. 2017)."""


def chest_path(name: str) -> Path:
    """Return the PNG file of a shipped radiograph; XbdcnnError if the name is not in `CHESTS`."""
    if name not in CHESTS:
        raise XbdcnnError(f"radiograph {name!r}: choose {', '.join(CHESTS)}")
    return FOLDER / f"{name}.png"


def load_chest(name: str) -> NDArray[np.float32]:
    """Return a shipped radiograph, (1024, 1024) float32 in [0, 1], 1 = white.

    The file has 8 bits. XbdcnnError if the name is not in `CHESTS`.
    """
    return load_radiograph(chest_path(name))


def halved(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of 2 x 2 pixels of an image (H, W) with even sides, (H/2, W/2) float32.

    XbdcnnError if a side is odd.
    """
    height, width = image.shape
    if height % 2 or width % 2:
        raise XbdcnnError(f"an image of shape {image.shape} has an odd side; crop it to even sides")
    return image.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3), dtype=np.float32)
