"""A radiograph with the numbers of its file, so that a restored one can be stored as it was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.files.dicom_read import (
    curve_of,
    hiding_header_values,
    is_curved,
    limits_of,
    padding_of,
    read_dicom,
    window_of,
)
from xbdcnn.data.files.dicom_write import require_radiograph, save_derived
from xbdcnn.data.files.formats import require_format
from xbdcnn.data.files.pictures import Picture, read_picture, write_picture
from xbdcnn.data.files.window import Window

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
        with hiding_header_values(path):
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


def load_radiograph(path: str | Path) -> NDArray[np.float32]:
    """Read one radiograph from a PNG, TIFF, JPEG or DICOM file; the content decides, not the name.

    Integers are divided by their type's full range (255 or 65535); a floating-point TIFF must
    be in [0, 1] already. RGB and alpha are accepted where the picture is really grey and opaque.

    DICOM: the modality LUT or rescale, then the VOI LUT or the first window are applied (DICOM
    PS3.3 C.11.1-2), and that window's output range becomes [0, 1]. Without either, the smallest
    and largest stored value become 0 and 1. MONOCHROME1 is inverted at the end. A curved VOI LUT
    is followed here; `xbdcnn denoise` takes the straight window of `open_scan` in its place,
    since what the network changed has to be put back into stored numbers.

    Returns:
        (H, W) float32 in [0, 1], 1 = white, H and W >= 16.

    Raises:
        XbdcnnError: one line that names the file and the remedy: missing, empty, truncated or
            damaged, not a radiograph, several frames, coloured, not opaque, NaN or out of
            range, too small, or too large (more than 8192 x 8192 pixels).
    """
    scan = open_scan(path)
    with hiding_header_values(scan.path):
        return _along_curve(scan) if scan.header and is_curved(scan.header) else scan.unit


def _along_curve(scan: Scan) -> NDArray[np.float32]:
    """Look every stored number up in the header's curve, which no affine window can follow."""
    curve = curve_of(scan.path, scan.header).astype(np.float32)
    if scan.header.PhotometricInterpretation == "MONOCHROME1":
        curve = 1 - curve
    return curve[scan.stored.astype(np.int32) - limits_of(scan.header)[0]]
