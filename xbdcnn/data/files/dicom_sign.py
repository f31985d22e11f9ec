"""Pixels whose JPEG 2000 stream has another sign than the header states."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_values import limits_of, named
from xbdcnn.data.files.dicom_window import has_window_only, window_of
from xbdcnn.data.files.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset

FEW, MANY = 0.25, 0.2
"""Another reading is taken if less than FEW of the cost of the usual one remains, and that is more
than MANY. The cost is the fraction of the pixels outside the window, or the number of jumps."""


def mend_sign(path: Path, header: Dataset, stored: NDArray) -> tuple[NDArray, list[str]]:
    """Return the stored values with the sign that agrees with the window, and say so.

    If stream and header contradict each other, three readings are possible: the same bits with
    the sign of the header, which the decoder returns; the same bits with the sign of the stream,
    whereby PixelRepresentation is corrected; or values that were shifted by half the range when
    the sign was changed. A window tells them apart: the wrong ones lie outside by half the range.
    Without a window, jumps between neighbours by more than half the range tell it.

    stored: (H, W) as decoded with the sign of the header. header: corrected in place.
    """
    if _sign_of_stream(header) in (None, bool(header.PixelRepresentation)):
        return stored, []
    fault = f"{named('PixelRepresentation')} contradicts the JPEG 2000 data"
    readings = [_with_other_sign(header, stored), _shifted(header, stored)]
    window = _window_or_none(path, header, stored)
    cost = window.outside if window else partial(_jumps, 2 ** (header.BitsStored - 1))
    costs, usual = [cost(values) for values in readings], cost(stored)
    if usual < MANY or min(costs) >= FEW * usual:
        return stored, [fault]
    if costs[0] <= costs[1]:
        header.PixelRepresentation = 1 - header.PixelRepresentation
        return readings[0], [f"{fault}, whose sign is taken"]
    return readings[1], [f"{fault}, whose values are shifted by half the range"]


def _jumps(half: int, stored: NDArray) -> int:
    """Return how many horizontal neighbours differ by more than half the range."""
    return int((np.abs(np.diff(stored.astype(np.int32), axis=1)) > half).sum())


def _window_or_none(path: Path, header: Dataset, stored: NDArray) -> Window | None:
    """Return the linear window of the header, or None if it has none that is valid."""
    try:
        return window_of(path, header, stored) if has_window_only(path, header) else None
    except XbdcnnError:  # reported where the window is needed; `--window` may replace it
        return None


def _sign_of_stream(header: Dataset) -> bool | None:
    """Return whether the JPEG 2000 stream is signed, or None for another compression."""
    from pydicom.encaps import get_frame
    from pydicom.pixels.utils import get_j2k_parameters
    from pydicom.uid import JPEG2000TransferSyntaxes

    if header.file_meta.TransferSyntaxUID not in JPEG2000TransferSyntaxes:
        return None
    stream = get_frame(header.PixelData, 0, number_of_frames=1)
    return get_j2k_parameters(stream).get("is_signed")


def _shifted(header: Dataset, stored: NDArray) -> NDArray:
    """Add half the range of the stored bits, modulo the range."""
    low, high = limits_of(header)
    count = high - low + 1
    return ((stored.astype(np.int32) - low + count // 2) % count + low).astype(stored.dtype)


def _with_other_sign(header: Dataset, stored: NDArray) -> NDArray:
    """Read the same stored bits with the other sign."""
    count = 2 ** int(header.BitsStored)
    bits = stored.astype(np.int32) % count
    other = bits if header.PixelRepresentation else np.where(bits < count // 2, bits, bits - count)
    kind = "u" if header.PixelRepresentation else "i"
    return other.astype(f"{kind}{stored.dtype.itemsize}")
