"""Cut patches from a radiograph, at random positions or on a grid (Sec. III-A)."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError


def random_patches(
    image: NDArray, count: int = 32, size: int = 128, rng: np.random.Generator | int = 0
) -> NDArray:
    """Cut `count` patches at uniformly random positions (Sec. III-A: about 32 of 128 x 128).

    image: (H, W). Returns a copy, (count, size, size), in the image's dtype; patches may overlap.
    rng: a generator or a seed. XbdcnnError if the image is smaller than a patch.
    """
    windows = _windows(image, size)
    rows, columns = windows.shape[:2]
    rng = np.random.default_rng(rng)
    return windows[rng.integers(rows, size=count), rng.integers(columns, size=count)]


def dense_patches(image: NDArray, size: int = 128, stride: int | None = None) -> NDArray:
    """Cut patches on a grid from the top left corner, row by row.

    image: (H, W). stride: step in pixels, default `size` (no overlap). Incomplete patches at
    the right and bottom are dropped. Returns a copy, (n, size, size). XbdcnnError if the image is
    smaller than a patch or the stride is not positive.
    """
    stride = size if stride is None else stride
    if stride < 1:
        raise XbdcnnError(f"stride {stride}: choose at least 1")
    return _windows(image, size)[::stride, ::stride].reshape(-1, size, size).copy()


def _windows(image: NDArray, size: int) -> NDArray:
    """Return a view of all size x size patches, (H - size + 1, W - size + 1, size, size)."""
    if image.ndim != 2 or not 1 <= size <= min(image.shape):
        raise XbdcnnError(f"an image of shape {image.shape} holds no {size} x {size} patch")
    return sliding_window_view(image, (size, size))


def central_crop(image: NDArray, side: int) -> NDArray:
    """Cut the central (side, side) square of (H, W), or the largest one if that is smaller."""
    side = min(side, *image.shape)
    top, left = ((length - side) // 2 for length in image.shape)
    return image[top : top + side, left : left + side]
