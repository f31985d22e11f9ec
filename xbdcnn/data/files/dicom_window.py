"""The affine window or curve through which a DICOM header displays stored values (PS3.3 C.11).

No message of this module quotes a header value, which may identify the patient.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset

CURVE_TOLERANCE = 0.5 / 255
"""Distance from black or white, half a grey level of 255, within which a curve counts as there."""


def limits_of(header: Dataset) -> tuple[int, int]:
    """Return the smallest and largest value that BitsStored and PixelRepresentation allow."""
    count = 2 ** int(header.BitsStored)
    return (-count // 2, count // 2 - 1) if header.PixelRepresentation else (0, count - 1)


def padding_of(header: Dataset) -> tuple[int, int] | None:
    """Return the smallest and largest stored value that marks padding; None without padding."""
    first = header.get("PixelPaddingValue")
    if first is None:
        return None
    last = header.get("PixelPaddingRangeLimit")
    low, high = sorted((int(first), int(first if last is None else last)))
    return low, high


def window_of(path: Path, header: Dataset, stored: NDArray) -> Window:
    """Return the stored values displayed as black and white (DICOM PS3.3 C.7.6.3, C.11.1-2).

    A linear VOI window is mapped back exactly through the rescale slope and intercept. For a VOI
    LUT, a SIGMOID window or a modality LUT, the window spans from the last black to the first
    white value of that curve. Without any of these it spans the pixels that are not padding.

    Raises:
        XbdcnnError: the header's window is empty, or all pixels are equal.
    """
    if has_curve(header):
        limits, origin = _limits_of_curve(path, header), "the header's curve"
    elif _has_window(header):
        limits, origin = _limits_of_line(path, header), "the header's window"
    else:
        limits, origin = _limits_of_pixels(path, header, stored), "its smallest and largest pixel"
    dark, bright = (float(limit) for limit in limits)
    if not np.isfinite([dark, bright]).all() or dark == bright:
        raise XbdcnnError(f"{path}: the header's window is empty; give --window BLACK WHITE")
    if header.PhotometricInterpretation == "MONOCHROME1":
        dark, bright = bright, dark
    return Window(dark, bright, origin)


def _has_window(header: Dataset) -> bool:
    return bool(header.get("WindowWidth")) and header.get("WindowCenter") not in (None, "")


def _limits_of_line(path: Path, header: Dataset) -> tuple[float, float]:
    """Return black and white of the first VOI window, as stored values."""
    centre, width = (_first(header[name].value) for name in ("WindowCenter", "WindowWidth"))
    if str(header.get("VOILUTFunction", "LINEAR")).upper() != "LINEAR_EXACT":
        centre, width = centre - 0.5, width - 1  # PS3.3 C.11.2.1.2.1
    if not width > 0:
        raise XbdcnnError(f"{path}: WindowWidth is too small; give --window BLACK WHITE")
    slope, intercept = _rescale(path, header)
    return (centre - width / 2 - intercept) / slope, (centre + width / 2 - intercept) / slope


def _first(value) -> float:
    from pydicom.multival import MultiValue

    return float(value[0] if isinstance(value, MultiValue) else value)


def _rescale(path: Path, header: Dataset) -> tuple[float, float]:
    """Return rescale slope and intercept; both must be present to apply."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is None or intercept is None:
        return 1.0, 0.0
    if not slope:
        raise XbdcnnError(f"{path}: RescaleSlope is 0; give --window BLACK WHITE")
    return float(slope), float(intercept)


def _limits_of_pixels(path: Path, header: Dataset, stored: NDArray) -> tuple[float, float]:
    """Return the pixels' range without padding, in the order from dark to bright."""
    padding = padding_of(header)
    exposed = stored if padding is None else stored[(stored < padding[0]) | (stored > padding[1])]
    if exposed.size == 0 or exposed.min() == exposed.max():
        raise XbdcnnError(
            f"{path}: every pixel is equal and the header has no window; choose another image"
        )
    limits = (exposed.min(), exposed.max())
    return limits if _rescale(path, header)[0] > 0 else limits[::-1]


def has_curve(header: Dataset) -> bool:
    """Tell whether a lookup table or a SIGMOID function maps stored values to the display."""
    sigmoid = str(header.get("VOILUTFunction", "")).upper() == "SIGMOID" and _has_window(header)
    return bool(header.get("VOILUTSequence") or header.get("ModalityLUTSequence")) or sigmoid


def curve_of(path: Path, header: Dataset) -> NDArray[np.float64]:
    """Return the display value, in [0, 1], of every value from the lower to the upper limit.

    Modality LUT or rescale, then VOI LUT or first window, scaled so that the smallest result is 0
    and the largest 1; MONOCHROME1 is not inverted here.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    low, high = limits_of(header)
    values = np.arange(low, high + 1, dtype=np.int32)
    displayed = apply_voi_lut(apply_modality_lut(values, header), header).astype(np.float64)
    if not np.ptp(displayed) > 0:
        raise XbdcnnError(f"{path}: its lookup table is constant; give --window BLACK WHITE")
    return (displayed - displayed.min()) / np.ptp(displayed)


def _limits_of_curve(path: Path, header: Dataset) -> tuple[float, float]:
    """Return the last stored value that the curve displays as black, and the first as white."""
    curve = curve_of(path, header)
    dark = np.flatnonzero(curve <= CURVE_TOLERANCE)
    bright = np.flatnonzero(curve >= 1 - CURVE_TOLERANCE)
    rising = curve[-1] >= curve[0]
    black, white = (dark[-1], bright[0]) if rising else (dark[0], bright[-1])
    if (black < white) != rising:
        raise XbdcnnError(f"{path}: its lookup table is not monotonic; give --window BLACK WHITE")
    low = limits_of(header)[0]
    return black + low, white + low
