"""A radiograph with the stored values of its file, so that it can be saved in the same form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.files.dicom_class import require_projection_image
from xbdcnn.data.files.dicom_read import read_dicom
from xbdcnn.data.files.dicom_values import GIVE_WINDOW, dicom_stage, limits_of
from xbdcnn.data.files.dicom_window import (
    curve_of,
    has_curve,
    is_inverted,
    padding_of,
    window_of,
)
from xbdcnn.data.files.dicom_write import save_derived
from xbdcnn.data.files.elsewhere import require_content
from xbdcnn.data.files.formats import require_format
from xbdcnn.data.files.picture_window import default_window
from xbdcnn.data.files.pictures import Picture, read_picture, write_picture
from xbdcnn.data.files.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, eq=False)
class RadiographFile:
    """The stored values of one radiograph, and the window that maps them to [0, 1]."""

    path: Path
    stored: NDArray
    """(H, W) stored values: integers, or float32, which without a given window is in [0, 1]."""
    window: Window
    limits: tuple[float, float]
    """Smallest and largest value that the file can store; without limits for most floats."""
    padding: tuple[int, int] | None = None
    """Smallest and largest stored value that marks padding."""
    header: Dataset | None = None
    """Header of a DICOM file, without its pixel data."""
    inverted: bool = False
    """Whether large values are dark (TIFF with photometric interpretation WhiteIsZero)."""

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The radiograph mapped through its window: (H, W) float32 in [0, 1], 1 = white."""
        return self.window.to_unit(self.stored)

    def require_projection_image(self) -> None:
        """Raise XbdcnnError for a DICOM image that is no projection radiograph, e.g. a CT slice."""
        if self.header is not None:
            require_projection_image(self.path, self.header)

    def restored(self, unit: NDArray[np.float32]) -> NDArray:
        """Return the stored values of a restored radiograph, see `Window.restore`.

        Padding is kept, and no other pixel is moved into the range of padding.

        unit: (H, W) float32 in [0, 1], the output of the network for `self.unit`.
        """
        changed = self.window.restore(self.stored, unit, self.limits)
        if self.padding is None:
            return changed
        low, high = self.padding
        padded = [(low <= values) & (values <= high) for values in (self.stored, changed)]
        return np.where(padded[0] | padded[1], self.stored, changed)


def open_radiograph(path: str | Path, window: tuple[float, float] | None = None) -> RadiographFile:
    """Read the stored values of a PNG, TIFF, JPEG or DICOM file, recognised by its content.

    window: stored values of black and white; by default the window of a DICOM header, or
    `default_window`. With a window, a TIFF may have floating point of any range, and integers that
    are signed or have 32 bits. XbdcnnError as in `load_radiograph`.
    """
    path = Path(path)
    given = Window(*window, "as given") if window else None
    require_content(path)
    if require_format(path) == "dicom":
        header, stored, notes = read_dicom(path)
        with dicom_stage(path, "its display cannot be read from the header", GIVE_WINDOW):
            chosen = given or window_of(path, header, stored)
            limits, padding = limits_of(header), padding_of(path, header)
            return RadiographFile(path, stored, chosen.noted(notes), limits, padding, header)
    picture = read_picture(path, any_scale=given is not None)
    chosen = given or default_window(picture)
    return RadiographFile(path, picture.stored, chosen, picture.limits, inverted=picture.inverted)


def save_radiograph(source: RadiographFile, stored: NDArray, target: Path, derivation: str) -> None:
    """Write restored values in the format of their source; JPEG becomes PNG.

    stored: from `source.restored`. derivation: description of the processing, for the header of
    a DICOM object.
    """
    if source.header is not None:
        save_derived(source.path, source.header, stored, target, derivation)
    else:
        write_picture(Picture(stored, source.inverted), target)


def load_radiograph(path: str | Path) -> NDArray[np.float32]:
    """Read a radiograph from a PNG, TIFF, JPEG or DICOM file, recognised by its content.

    Integers are divided by the full range of their type (255 or 65535), or of the bits that 16-bit
    values surely use, see `default_window`: without any value above 4095, these are 12 or fewer. A
    floating-point TIFF must be in [0, 1]. RGB and alpha are accepted if the image is grey and
    opaque.

    DICOM: the modality LUT or rescale, then the VOI LUT or the first window are applied (DICOM
    PS3.3 C.11.1-2), and the output range of that window becomes [0, 1]. Without a window, the
    smallest and largest stored value become 0 and 1. MONOCHROME1 is inverted at the end. A
    nonlinear VOI LUT is applied here; `xbdcnn denoise` uses the affine window of
    `open_radiograph` instead, because the change has to be converted to stored values.

    Returns:
        (H, W) float32 in [0, 1], 1 = white, H and W >= 16.

    Raises:
        XbdcnnError: the file is missing, empty, truncated or damaged, not an image, has several
            frames, colour, transparency, NaN or values out of range, or is too small or too
            large (more than 8192 x 8192 pixels). The message is one line with file and remedy.
    """
    radiograph = open_radiograph(path)
    if radiograph.header is None:
        return radiograph.unit
    with dicom_stage(radiograph.path, "its display cannot be read from the header", GIVE_WINDOW):
        if has_curve(radiograph.path, radiograph.header):
            return _through_curve(radiograph, radiograph.header)
        return radiograph.unit


def _through_curve(radiograph: RadiographFile, header: Dataset) -> NDArray[np.float32]:
    """Look every stored value up in the nonlinear display curve of the header."""
    curve = curve_of(radiograph.path, header).astype(np.float32)
    if is_inverted(radiograph.path, header):
        curve = 1 - curve
    return curve[radiograph.stored.astype(np.int32) - limits_of(header)[0]]
