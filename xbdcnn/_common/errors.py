"""The one error type of the package, and the check of an image array that raises it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST_SIDE = 16
"""Pixels; the networks accept no smaller image."""


class XbdcnnError(ValueError):
    """Bad input or a bad file; the message is one line that names the cause and the remedy."""


def require_radiograph(image: NDArray) -> None:
    """Raise XbdcnnError unless an array is one grey radiograph.

    That is (H, W) with sides of at least 16 pixels; uint8, uint16, or finite floating point in
    [0, 1].
    """
    if image.ndim != 2 or min(image.shape) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"expected one grey radiograph (H, W) with sides >= {SMALLEST_SIDE}, got shape "
            f"{image.shape}; pass one channel of a larger crop"
        )
    if image.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise XbdcnnError(
            f"expected uint8, uint16 or floating point, got {image.dtype}; convert it"
        )
    # NaN makes both comparisons false, and neither needs a copy of the image.
    if not (image.min() >= 0 and image.max() <= 1):
        raise XbdcnnError("a floating-point radiograph must be finite and in [0, 1]; rescale it")
