"""The affine window or curve through which a DICOM header displays stored values (PS3.3 C.11).

No message of this module quotes a header value, which may identify the patient.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_lut import has_table, table_of
from xbdcnn.data.files.dicom_values import (
    GIVE_WINDOW,
    code_string,
    decimal_number,
    limits_of,
    named,
    whole_number,
)
from xbdcnn.data.files.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset

CURVE_TOLERANCE = 0.5 / 255
"""Distance from black or white, half a grey level of 255, within which a curve counts as there."""

MODALITY, VOI = "ModalityLUTSequence", "VOILUTSequence"


def padding_of(path: Path, header: Dataset) -> tuple[int, int] | None:
    """Return the smallest and largest stored value that marks padding; None without padding."""
    first = whole_number(path, header, "PixelPaddingValue")
    if first is None:
        return None
    last = whole_number(path, header, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    return low, high


def is_inverted(path: Path, header: Dataset) -> bool:
    """Tell whether the display is inverted at the end: MONOCHROME1, or an INVERSE shape.

    A consistent header with PresentationLUTShape INVERSE is MONOCHROME1 (PS3.3 C.8.11.3);
    together they invert once.
    """
    meaning = code_string(path, header, "PhotometricInterpretation")
    shape = code_string(path, header, "PresentationLUTShape")
    return meaning == "MONOCHROME1" or shape == "INVERSE"


def window_of(path: Path, header: Dataset, stored: NDArray) -> Window:
    """Return the stored values displayed as black and white (DICOM PS3.3 C.7.6.3, C.11.1-2).

    A linear VOI window is mapped back exactly through the rescale slope and intercept. For a VOI
    LUT, a SIGMOID window or a modality LUT, the window spans the line of that curve, or from its
    last black to its first white value. Without any of these it spans the pixels except padding.

    Raises:
        XbdcnnError: the header's window is empty or no number, or all pixels are equal.
    """
    if has_curve(path, header):
        limits, origin = _limits_of_curve(path, header), "the header's curve"
    elif _has_window(path, header):
        limits, origin = _limits_of_line(path, header), "the header's window"
    else:
        limits, origin = _limits_of_pixels(path, header, stored), "its smallest and largest pixel"
    dark, bright = (float(limit) for limit in limits)
    if not np.isfinite([dark, bright]).all() or dark == bright:
        raise XbdcnnError(f"{path}: the header's window is empty; {GIVE_WINDOW}")
    if is_inverted(path, header):
        dark, bright = bright, dark
    return Window(dark, bright, origin)


def _has_window(path: Path, header: Dataset) -> bool:
    """Tell whether there is a window; a width of 0 says that there is none."""
    centre, width = (decimal_number(path, header, f"Window{name}") for name in ("Center", "Width"))
    return bool(width) and centre is not None


def has_window_only(path: Path, header: Dataset) -> bool:
    """Tell whether a linear window determines the display, with or without rescale."""
    return _has_window(path, header) and not has_curve(path, header)


def mend_window(path: Path, header: Dataset) -> list[str]:
    """Declare a window of at most one rescaled unit as LINEAR_EXACT, in place, and say so.

    A LINEAR window has a width of at least 1, from which half a unit is taken at both ends (PS3.3
    C.11.2.1.2.1). A small rescale slope makes units of many stored values, to which that does not
    apply.
    """
    try:
        width, slope = decimal_number(path, header, "WindowWidth"), _rescale(path, header)[0]
        kind = code_string(path, header, "VOILUTFunction")
    except XbdcnnError:  # reported where the window is needed; `--window` may replace it
        return []
    if kind not in ("", "LINEAR") or width is None or not 0 < width <= 1 < width / abs(slope):
        return []
    header.VOILUTFunction = "LINEAR_EXACT"
    return [f"window of width below 1 read as LINEAR_EXACT, {named('VOILUTFunction')}"]


def _linear_window(path: Path, header: Dataset) -> tuple[float, float]:
    """Return the rescaled values of black and white of the first linear window."""
    centre, width = (decimal_number(path, header, f"Window{name}") for name in ("Center", "Width"))
    assert centre is not None and width is not None  # by `_has_window`
    if code_string(path, header, "VOILUTFunction") != "LINEAR_EXACT":
        centre, width = centre - 0.5, width - 1
    if not width > 0:
        raise XbdcnnError(f"{path}: {named('WindowWidth')} is too small; {GIVE_WINDOW}")
    return centre - width / 2, centre + width / 2


def _limits_of_line(path: Path, header: Dataset) -> tuple[float, float]:
    """Return black and white of the first VOI window, as stored values."""
    black, white = _linear_window(path, header)
    slope, intercept = _rescale(path, header)
    return (black - intercept) / slope, (white - intercept) / slope


def _rescale(path: Path, header: Dataset) -> tuple[float, float]:
    """Return rescale slope and intercept; both must be present to apply."""
    slope, intercept = (
        decimal_number(path, header, f"Rescale{name}") for name in ("Slope", "Intercept")
    )
    if slope is None or intercept is None:
        return 1.0, 0.0
    if not slope:
        raise XbdcnnError(f"{path}: {named('RescaleSlope')} is 0; {GIVE_WINDOW}")
    return slope, intercept


def _limits_of_pixels(path: Path, header: Dataset, stored: NDArray) -> tuple[float, float]:
    """Return the pixels' range without padding, in the order from dark to bright."""
    padding = padding_of(path, header)
    exposed = stored if padding is None else stored[(stored < padding[0]) | (stored > padding[1])]
    if exposed.size == 0 or exposed.min() == exposed.max():
        raise XbdcnnError(
            f"{path}: every pixel is equal and the header has no window; choose another image"
        )
    limits = (exposed.min(), exposed.max())
    return limits if _rescale(path, header)[0] > 0 else limits[::-1]


def has_curve(path: Path, header: Dataset) -> bool:
    """Tell whether a lookup table or a SIGMOID function maps stored values to the display."""
    if has_table(header, VOI) or has_table(header, MODALITY):
        return True
    return code_string(path, header, "VOILUTFunction") == "SIGMOID" and _has_window(path, header)


def curve_of(path: Path, header: Dataset) -> NDArray[np.float64]:
    """Return the display value, in [0, 1], of every value from the lower to the upper limit.

    Modality LUT or rescale, then VOI LUT or first window, scaled so that the smallest result is 0
    and the largest 1; without the inversion of `is_inverted`.
    """
    low, high = limits_of(header)
    values = np.arange(low, high + 1)
    displayed = _displayed(path, header, _rescaled(path, header, values))
    if not np.ptp(displayed) > 0:
        raise XbdcnnError(f"{path}: {_table(header)} is constant; {GIVE_WINDOW}")
    return (displayed - displayed.min()) / np.ptp(displayed)


def _rescaled(path: Path, header: Dataset, values: NDArray) -> NDArray[np.float64]:
    """Return stored values after the modality LUT, or else after rescale slope and intercept."""
    if has_table(header, MODALITY):
        return table_of(path, header, MODALITY, values).apply(values).astype(np.float64)
    slope, intercept = _rescale(path, header)
    return slope * values + intercept


def _displayed(path: Path, header: Dataset, values: NDArray) -> NDArray[np.float64]:
    """Return rescaled values after the VOI LUT, or else after the first window."""
    if has_table(header, VOI):
        return table_of(path, header, VOI, values).apply(values).astype(np.float64)
    if not _has_window(path, header):
        return values
    if code_string(path, header, "VOILUTFunction") == "SIGMOID":
        return _sigmoid(path, header, values)
    black, white = _linear_window(path, header)
    return ((values - black) / (white - black)).clip(0, 1)


def _sigmoid(path: Path, header: Dataset, values: NDArray) -> NDArray[np.float64]:
    """PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))."""
    centre, width = (decimal_number(path, header, f"Window{name}") for name in ("Center", "Width"))
    assert centre is not None and width is not None  # by `_has_window`
    if not width > 0:
        raise XbdcnnError(f"{path}: {named('WindowWidth')} is too small; {GIVE_WINDOW}")
    return 1 / (1 + np.exp((-4 * (values - centre) / width).clip(-700, 700)))


def _table(header: Dataset) -> str:
    """Return the name of what makes the display nonlinear, for messages."""
    found = next((name for name in (VOI, MODALITY) if has_table(header, name)), None)
    return f"its lookup table, {named(found)}," if found else f"{named('VOILUTFunction')}"


def _limits_of_curve(path: Path, header: Dataset) -> tuple[float, float]:
    """Return the stored values where the curve becomes black and white.

    For a straight line, as far as its entries resolve it, these are its ends; for other curves,
    the last value displayed as black and the first as white.
    """
    curve, low = curve_of(path, header), limits_of(header)[0]
    if (ends := _ends_of_line(curve)) is not None:
        return ends[0] + low, ends[1] + low
    dark = np.flatnonzero(curve <= CURVE_TOLERANCE)
    bright = np.flatnonzero(curve >= 1 - CURVE_TOLERANCE)
    rising = curve[-1] >= curve[0]
    black, white = (dark[-1], bright[0]) if rising else (dark[0], bright[-1])
    if (black < white) != rising:
        raise XbdcnnError(f"{path}: {_table(header)} is not monotonic; {GIVE_WINDOW}")
    return black + low, white + low


def _ends_of_line(curve: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return where a line fitted to a curve is 0 and 1, or None if the curve is no such line.

    The ends are rounded to stored values, and may deviate by one grey level of 255.
    """
    between = np.flatnonzero((curve > 0) & (curve < 1))
    if len(between) < 2 or not np.ptp(curve[between]) > 0:
        return None
    slope, offset = np.polyfit(between, curve[between], 1)
    line = (offset + slope * np.arange(len(curve))).clip(0, 1)
    if np.abs(line - curve).max() > 2 * CURVE_TOLERANCE:
        return None
    return float(np.rint(-offset / slope)), float(np.rint((1 - offset) / slope))
