"""Conversion between the pixel types of files and the [0, 1] scale of the networks."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import DTypeLike, NDArray


def to_unit_range(image: NDArray) -> NDArray[np.float32]:
    """Convert to float32; integers are divided by the largest value of their dtype."""
    if np.issubdtype(image.dtype, np.floating):
        return image.astype(np.float32)
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def from_unit_range(restored: NDArray[np.float32], dtype: DTypeLike) -> NDArray:
    """Invert `to_unit_range`: clip to [0, 1], then scale to the full range of an integer dtype."""
    unit = restored.clip(0.0, 1.0)
    if np.issubdtype(dtype, np.floating):
        return unit.astype(dtype)
    return np.round(unit * np.iinfo(dtype).max).astype(dtype)


def warn_of_unused_bits(image: NDArray) -> None:
    """Warn the caller's caller if a uint16 image, whose white is 65535, surely uses fewer bits."""
    if image.dtype != np.uint16:
        return
    from xbdcnn._common.depth import used_depth

    if (bits := used_depth(image)) < 16:
        warnings.warn(
            f"white of a uint16 image is 65535, and this one uses {bits} bits; "
            f"pass it as floating point, divided by {2**bits - 1}",
            stacklevel=3,
        )
