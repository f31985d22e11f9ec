"""Evaluation without a clean image: structure of the residual, and detectability of discs.

Images are (H, W) floats in [0, 1]; contrasts are in 8-bit grey levels, as sigma is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.noise import GREY_LEVELS

Image = NDArray[np.floating]
Centres = NDArray[np.intp]

DETAIL = (1.5, 4.5)
"""Standard deviations in pixels of the difference of Gaussians that selects fine structure."""


class Residual(NamedTuple):
    """Structure of the residual f - g_hat; all three fields are near 0 for white noise.

    whiteness: correlation of adjacent pixels with the largest magnitude, see `whiteness`.
    anatomy: `correlation_with_anatomy` of f - g_hat and g_hat. A value above 0 means that anatomy
    was removed, or that a part of the noise was not.
    offset: mean in grey levels.
    """

    whiteness: float
    anatomy: float
    offset: float


def residual_structure(noisy: Image, restored: Image) -> Residual:
    """Measure the structure of f - g_hat, which should be as unstructured as the noise."""
    removed = np.asarray(noisy, float) - restored
    anatomy = correlation_with_anatomy(removed, restored)
    return Residual(whiteness(removed) or 0.0, anatomy, float(GREY_LEVELS * removed.mean()))


def correlation_with_anatomy(removed: Image, anatomy: Image) -> float:
    """Correlation of the fine structure, see `DETAIL`, of a residual and of an image, -1 to 1.

    If the image is the restored one, the noise that is left in it raises the correlation, even for
    the best restoration. An image of the same anatomy with independent noise is better.
    """
    return _correlation(_detail(removed), _detail(np.asarray(anatomy, float)))


def whiteness(residual: Image) -> float | None:
    """Correlation r = sum e(x) e(x + d) / sum e(x)^2 of adjacent pixels, largest in magnitude.

    e: the residual minus its mean; d: one pixel horizontally, vertically, or along a diagonal. The
    noise of Eq. 1 is independent from pixel to pixel, so r = 0 within about 1 / sqrt(HW). Removed
    edges and remaining low-frequency noise increase |r|.

    residual: (H, W). Returns a number in [-1, 1], or None if the residual is constant.
    """
    e = residual.astype(np.float64) - residual.mean(dtype=np.float64)
    power = (e * e).sum()
    if power == 0:
        return None
    neighbours = (
        (e[:, 1:], e[:, :-1]),
        (e[1:], e[:-1]),
        (e[1:, 1:], e[:-1, :-1]),
        (e[1:, :-1], e[:-1, 1:]),
    )
    return max((float((a * b).sum() / power) for a, b in neighbours), key=abs)


def _detail(image: Image) -> Image:
    """Band-pass an image to structures between the pixel size and the width of ribs."""
    fine, coarse = (gaussian_filter(image, scale) for scale in DETAIL)
    return fine - coarse


def _correlation(one: Image, other: Image) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def disc_centres(shape: tuple[int, int], radius: int) -> Centres:
    """Return the centres of discs on a grid whose surrounding rings do not overlap, (n, 2).

    XbdcnnError if the image has room for fewer than four.
    """
    step = 5 * radius
    axes = [np.arange(step // 2 + radius, length - step // 2 - radius, step) for length in shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    if len(centres) < 4:
        raise XbdcnnError(f"an image of shape {shape} has no room for discs of radius {radius}")
    return centres


def insert_discs(image: Image, centres: Centres, radius: int, contrast: float) -> Image:
    """Return f + contrast / 255 on discs of `radius` pixels at `centres`, without clipping."""
    disc, _ = _disc_and_ring(radius)
    return insert_signals(image, centres, contrast / GREY_LEVELS * disc)


def insert_signals(image: Image, centres: Centres, signal: Image) -> Image:
    """Return f + s around each of `centres`, (n, 2), float32, without clipping.

    signal: (h, h) with odd h, on the scale of the image; it must be inside the image everywhere.
    """
    added, side = np.asarray(signal, np.float32), len(signal)
    marked = np.array(image, np.float32)
    for row, column in centres - side // 2:
        marked[row : row + side, column : column + side] += added
    return marked


def disc_responses(image: Image, centres: Centres, radius: int) -> NDArray[np.float64]:
    """Response t = mean over a disc minus mean over the ring around it, in grey levels: (n,).

    The ring extends from 1.5 to 2.2 radii. On a flat background with white noise this template is,
    up to the weight of the ring, the optimal linear observer for a disc at a known position
    (Barrett and Myers, Foundations of Image Science, Wiley 2004).
    """
    disc, ring = _disc_and_ring(radius)
    rows, columns = (centres - len(disc) // 2).T
    patches = sliding_window_view(image, disc.shape)[rows, columns]
    means = (patches[:, mask].mean(axis=1, dtype=float) for mask in (disc, ring))
    return GREY_LEVELS * np.subtract(*means)


def _disc_and_ring(radius: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the masks of a disc and of the ring around it, as equally large square arrays."""
    outer = math.ceil(2.2 * radius)
    distance = distance_from_centre(outer)
    return distance <= radius, (distance > 1.5 * radius) & (distance <= 2.2 * radius)


def distance_from_centre(half: int) -> NDArray[np.float64]:
    """Return the distance in pixels from the central pixel, (2 half + 1, 2 half + 1)."""
    return np.hypot(*np.ogrid[-half : half + 1, -half : half + 1])


class Detectability(NamedTuple):
    """Detectability of inserted discs after processing.

    kept: mean response divided by the inserted contrast; 1 if the contrast is preserved.
    d_prime: mean response divided by the standard deviation of the responses without discs; a
    disc is hard to see at 1 and clearly visible at 5.
    """

    kept: float
    d_prime: float


def detectability(
    without: Image, marked: Image, centres: Centres, radius: int, contrast: float
) -> Detectability:
    """Compare the responses with and without discs: d' = mean(t_1 - t_0) / std(t_0).

    without, marked: the same radiograph after the same processing, without and with discs of
    `contrast` grey levels inserted before the processing.
    """
    absent, present = (disc_responses(image, centres, radius) for image in (without, marked))
    gain = float((present - absent).mean())
    return Detectability(gain / contrast, gain / float(absent.std(ddof=1)))
