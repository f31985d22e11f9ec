"""The error type of the package, and the validation of radiographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST_SIDE = 16
"""Smallest height and width that the networks accept, in pixels."""


class XbdcnnError(ValueError):
    """Invalid input or an unusable file; the one-line message names the cause and the remedy."""


def require_radiograph(image: NDArray) -> None:
    """Raise XbdcnnError unless `image` is one greyscale radiograph.

    Accepted are NumPy arrays of shape (H, W) with H, W >= 16, of dtype uint8 or uint16, or of a
    floating-point dtype with finite values in [0, 1].
    """
    if not isinstance(image, np.ndarray):
        raise XbdcnnError(
            f"expected one greyscale radiograph as NumPy array, got {type(image).__name__}; "
            "convert it, as by numpy.asarray"
        )
    if image.ndim != 2 or min(image.shape) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"expected one greyscale radiograph (H, W) with sides >= {SMALLEST_SIDE}, got shape "
            f"{image.shape}; pass one channel of a larger crop"
        )
    if image.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise XbdcnnError(
            f"expected uint8, uint16 or floating point, got {image.dtype}; convert it"
        )
    # With NaN both comparisons are false, and neither needs a copy of the image.
    if not (image.min() >= 0 and image.max() <= 1):
        raise XbdcnnError("a floating-point radiograph must be finite and in [0, 1]; rescale it")
