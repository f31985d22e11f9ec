"""Two checks of a denoiser that need no clean image: what it removed, and discs put in to be found.

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
"""Standard deviations in pixels of the two Gaussians whose difference is fine structure."""


class Residual(NamedTuple):
    """What f - g_hat looks like; all three are near 0 for white noise.

    whiteness: the correlation of adjacent pixels that is farthest from 0, see `whiteness`.
    anatomy: correlation with g_hat, both between the scales of `DETAIL`: above 0, fine structure
    was taken in proportion to what was left of it. Noise left behind raises it a little, too.
    offset: the mean in grey levels.
    """

    whiteness: float
    anatomy: float
    offset: float


def residual_structure(noisy: Image, restored: Image) -> Residual:
    """Measure the structure in what was removed; it should have as little as the noise had."""
    removed = np.asarray(noisy, float) - restored
    anatomy = _correlation(_detail(removed), _detail(np.asarray(restored, float)))
    return Residual(whiteness(removed) or 0.0, anatomy, float(GREY_LEVELS * removed.mean()))


def whiteness(residual: Image) -> float | None:
    """The correlation r = sum e(x) e(x + d) / sum e(x)^2 of neighbours that is farthest from 0.

    e: the residual less its mean; d: one pixel across, down, or along either diagonal. The noise
    of Eq. 1 is independent from pixel to pixel, hence r = 0 but for chance, about 1 / sqrt(HW).
    A method that takes edges away, or leaves noise behind in clumps, gives itself away by |r|.

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
    """What is coarser than single pixels and finer than ribs."""
    fine, coarse = (gaussian_filter(image, scale) for scale in DETAIL)
    return fine - coarse


def _correlation(one: Image, other: Image) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def disc_centres(shape: tuple[int, int], radius: int) -> Centres:
    """Places for discs on a grid, far enough apart for each to have a ring of its own: (n, 2).

    XbdcnnError if the image has room for fewer than four.
    """
    step = 5 * radius
    axes = [np.arange(step // 2 + radius, length - step // 2 - radius, step) for length in shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    if len(centres) < 4:
        raise XbdcnnError(f"an image of shape {shape} has no room for discs of radius {radius}")
    return centres


def insert_discs(image: Image, centres: Centres, radius: int, contrast: float) -> Image:
    """Return f + contrast / 255 on discs of `radius` pixels at `centres`; nothing is clipped."""
    disc, _ = _disc_and_ring(radius)
    reach = len(disc) // 2
    marked = np.array(image, np.float32)
    for row, column in centres - reach:
        marked[row : row + len(disc), column : column + len(disc)][disc] += contrast / GREY_LEVELS
    return marked


def disc_responses(image: Image, centres: Centres, radius: int) -> NDArray[np.float64]:
    """t = mean over a disc minus mean over the ring around it, in grey levels: (n,).

    The ring reaches from 1.5 to 2.2 radii. On a flat background with white noise this template
    is the best linear observer of a disc that knows its place (Barrett and Myers, Foundations
    of Image Science, Wiley 2004), up to the weight of the ring.
    """
    disc, ring = _disc_and_ring(radius)
    rows, columns = (centres - len(disc) // 2).T
    patches = sliding_window_view(image, disc.shape)[rows, columns]
    means = (patches[:, mask].mean(axis=1, dtype=float) for mask in (disc, ring))
    return GREY_LEVELS * np.subtract(*means)


def _disc_and_ring(radius: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the disc and of the ring around it, in one small square."""
    reach = math.ceil(2.2 * radius)
    distance = np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1])
    return distance <= radius, (distance > 1.5 * radius) & (distance <= 2.2 * radius)


class Detectability(NamedTuple):
    """How well inserted discs can still be found.

    kept: mean response over the contrast that was put in: 1 where all of it survived.
    d_prime: mean response over the spread of the responses where there is no disc; 1 is hard
    to see and 5 is plain.
    """

    kept: float
    d_prime: float


def detectability(
    without: Image, marked: Image, centres: Centres, radius: int, contrast: float
) -> Detectability:
    """Compare the responses with and without discs: d' = mean(t_1 - t_0) / std(t_0).

    without, marked: the same radiograph, through the same processing, before which discs of
    `contrast` grey levels were put into the second.
    """
    absent, present = (disc_responses(image, centres, radius) for image in (without, marked))
    gain = float((present - absent).mean())
    return Detectability(gain / contrast, gain / float(absent.std(ddof=1)))
