"""Noise of an image from the quietest of its blocks of 16x16 pixels.

A quadratic surface is subtracted from each block, and the fifth of the blocks with the least
variance is used, so that anatomy counts little. What both steps remove from the noise as well is
known from simulated noise of known blur.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from xbdcnn.detector import scintillator_blur
from xbdcnn.noise import GREY_LEVELS

Values = NDArray[np.floating]
Indices = NDArray[np.intp]

BLOCK = 16
"""Side of a block in pixels."""

QUIET = 0.2
"""Share of the blocks, those with the least variance, that are used."""

LEAST_NOISE = 1e-3
"""Grey levels below which a block counts as free of noise, e.g. a label or a filled border."""

BLURS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7)
"""Standard deviations in pixels of the Gaussian blurs of the simulated noise."""

_SIMULATED = (32 * BLOCK, 32 * BLOCK)


class Blocks(NamedTuple):
    """Mean of each block, and variance and covariance of adjacent pixels after the subtraction.

    Each (blocks,), in grey levels and their square.
    """

    mean: Values
    variance: Values
    covariance: Values

    def quietest(self, group: Indices) -> Indices:
        """Return the share `QUIET` of a group of blocks that has the least variance."""
        order = np.argsort(self.variance[group], kind="stable")
        return group[order[: max(1, round(QUIET * len(group)))]]

    def correlation(self, chosen: Indices) -> float:
        """Return the median correlation of adjacent pixels over the chosen blocks."""
        return float(np.median(self.covariance[chosen] / self.variance[chosen]))


class Simulated(NamedTuple):
    """What is left of noise of known blur, for each of `BLURS`, each (blurs,).

    correlation: of adjacent pixels in the quietest blocks; blur: pixels; share: variance of these
    blocks divided by that of the noise.
    """

    correlation: Values
    blur: Values
    share: Values


def measure_blocks(image: NDArray) -> Blocks:
    """Measure the blocks of an image (H, W) that are neither clipped nor free of noise.

    image: uint8 or uint16 over the full range, or floating point in [0, 1].
    """
    top = 1.0 if np.issubdtype(image.dtype, np.floating) else float(np.iinfo(image.dtype).max)
    cut = cut_blocks(image, BLOCK)
    inside = (cut.min(axis=(1, 2)) > 0) & (cut.max(axis=(1, 2)) < top)
    blocks = _measure(cut[inside] * (GREY_LEVELS / top))
    return Blocks(*(values[blocks.variance > LEAST_NOISE**2] for values in blocks))


@lru_cache(maxsize=1)
def simulated_noise() -> Simulated:
    """Measure 1024 blocks of white noise after each of `BLURS`, as those of an image."""
    white = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, *_SIMULATED)))
    rows = []
    for blur in BLURS:
        noise = scintillator_blur(white, blur)[0, 0].numpy()
        blocks = _measure(cut_blocks(noise, BLOCK))
        chosen = blocks.quietest(np.arange(len(blocks.mean)))
        share = np.median(blocks.variance[chosen]) / noise.var()
        rows.append((blocks.correlation(chosen), blur, share))
    return Simulated(*np.array(rows).T)


def cut_blocks(image: NDArray, side: int) -> NDArray:
    """Cut an image (H, W) into its whole blocks of `side` pixels, (blocks, side, side)."""
    rows, columns = (length // side for length in image.shape)
    blocks = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return blocks.swapaxes(1, 2).reshape(-1, side, side)


def subtract_surfaces(blocks: NDArray) -> NDArray[np.float64]:
    """Subtract from each block (blocks, side, side) the quadratic surface that is closest to it."""
    side = blocks.shape[-1]
    surfaces = _quadratic_surfaces(side)
    flat = blocks.reshape(-1, side * side).astype(np.float64)
    return (flat - (flat @ surfaces) @ surfaces.T).reshape(blocks.shape)


def _measure(blocks: NDArray) -> Blocks:
    """Measure blocks (blocks, BLOCK, BLOCK) after their surfaces are subtracted."""
    left = subtract_surfaces(blocks)
    across = (left[:, :, :-1] * left[:, :, 1:]).mean(axis=(1, 2))
    down = (left[:, :-1] * left[:, 1:]).mean(axis=(1, 2))
    mean = blocks.mean(axis=(1, 2), dtype=np.float64)
    return Blocks(mean, (left**2).mean(axis=(1, 2)), (across + down) / 2)


@lru_cache
def _quadratic_surfaces(side: int) -> Values:
    """Orthonormal basis of the quadratic surfaces on a block, (side^2, 6)."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, side)] * 2)
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return np.linalg.qr(powers.reshape(-1, 6))[0]
