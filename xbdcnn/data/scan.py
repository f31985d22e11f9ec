"""A radiograph with the numbers of its file, so that a restored one can be stored as it was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.derived import require_radiograph, save_derived
from xbdcnn.data.dicom import discreetly, limits_of, padding_of, read_dicom, window_of
from xbdcnn.data.formats import require_format
from xbdcnn.data.pictures import Picture, read_picture, write_picture
from xbdcnn.data.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, eq=False)
class Scan:
    """One radiograph as it is stored, and the window through which a network sees it."""

    path: Path
    stored: NDArray
    """(H, W) numbers of the file: 8 or 16 bits, signed or not, or float32 in [0, 1]."""
    window: Window
    limits: tuple[float, float]
    """Smallest and largest number that the file can hold."""
    padding: tuple[int, int] | None = None
    """Range of numbers that mean "no pixel here"."""
    header: Dataset | None = None
    """Of a DICOM file, without its pixel data."""
    inverted: bool = False
    """Whether large numbers of a TIFF are dark by declaration."""

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The radiograph through its window: (H, W) float32 in [0, 1], 1 = white."""
        return self.window.to_unit(self.stored)

    def require_radiograph(self) -> None:
        """Raise XbdcnnError for a DICOM image that is no CR, DX or RF, e.g. a CT slice."""
        if self.header is not None:
            require_radiograph(self.path, self.header)

    def restored(self, unit: NDArray[np.float32]) -> NDArray:
        """Stored numbers of a restored radiograph, `unit` being what became of `self.unit`.

        Only the change is added (see `Window.restore`). Padding stays, and nothing turns into it.
        """
        changed = self.window.restore(self.stored, unit, self.limits)
        if self.padding is None:
            return changed
        low, high = self.padding
        padded = [(low <= numbers) & (numbers <= high) for numbers in (self.stored, changed)]
        return np.where(padded[0] | padded[1], self.stored, changed)


def open_scan(path: str | Path, ends: tuple[float, float] | None = None) -> Scan:
    """Read one radiograph from a PNG, TIFF, JPEG or DICOM file; the content decides, not the name.

    ends: stored numbers to show as black and white; by default the header's window, for DICOM,
    or the whole range of the file's numbers. XbdcnnError as in `load_radiograph`.
    """
    path = Path(path)
    given = Window(*ends, "as given") if ends else None
    if require_format(path) == "dicom":
        header, stored = read_dicom(path)
        with discreetly(path):
            window = given or window_of(path, header, stored)
            return Scan(path, stored, window, limits_of(header), padding_of(header), header)
    picture = read_picture(path)
    whole = (picture.top, 0.0) if picture.inverted else (0.0, picture.top)
    window = given or Window(*whole, "the whole range")
    return Scan(path, picture.stored, window, (0, picture.top), inverted=picture.inverted)


def save_scan(scan: Scan, stored: NDArray, target: Path, derivation: str) -> None:
    """Write restored numbers in the kind of file that `scan` came from; JPEG becomes PNG.

    stored: from `scan.restored`. derivation: what was done, for the header of a DICOM object.
    """
    if scan.header is not None:
        save_derived(scan.path, scan.header, stored, target, derivation)
    else:
        write_picture(Picture(stored, scan.inverted), target)
