"""Computations of the noise explorer: pure functions from a `State` to arrays, numbers and text.

They require no browser, widget or notebook. Every image is (H, W) float32 in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from xbdcnn import metrics
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.explorer.choices import NO_METHOD, Method
from xbdcnn.inference.pretrained import Levels
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise, noise_variance

Image = NDArray[np.float32]

SIDE = 384
"""Height and width of the explored region in pixels."""

ETA_LIMITS, SIGMA_LIMITS = (0.1, 10.0), (0.0, 50.0)
"""Ends of the sliders; they exceed the paper's ranges, up to an ordinary exposure."""

BINS = 64
"""Bins of the histogram, four grey levels each."""

Line = tuple[int, int, int, int]
"""(row, column) of the start and of the end of a line, in pixels of the region."""


@dataclass(frozen=True)
class State:
    """The values of all controls, on which every picture depends."""

    eta: float = 0.6
    """Photons per grey level, > 0."""
    sigma: float = 10.0
    """Electronic noise in 8-bit grey levels, >= 0."""
    strength: float = 1.0
    """Part of the residual that is removed, 0 to 1."""
    seed: int = 0
    image: str = ""
    """Name of a clean radiograph among those of the widget."""
    method: str = NO_METHOD
    """Name of a restoration method, see `choices.collect_methods`."""
    as_it_is: bool = False
    """Whether the radiograph is restored without added noise; then no clean image is known."""
    corner: tuple[int, int] | None = None
    """Upper left (row, column) of the region; None for the centre of the radiograph."""


class Quality(NamedTuple):
    """PSNR and SNR in dB, and SSIM, in the default conventions of `xbdcnn.metrics`."""

    psnr: float
    snr: float
    ssim: float


class View(NamedTuple):
    """A denoised state: images (H, W) float32, residual = noisy - restored, and scores."""

    noisy: Image
    restored: Image
    residual: Image
    maps: NDArray[np.float32] | None
    """(2, H, W): eta and sigma estimated at each pixel; None for methods without an NLE."""
    before: Quality | None
    """Scores of `noisy`, and of `restored` below; None without a clean reference."""
    after: Quality | None

    @property
    def levels(self) -> Levels | None:
        """Estimated noise level of the image, the mean of the maps; None without maps."""
        return None if self.maps is None else Levels(*map(float, self.maps.mean(axis=(1, 2))))


def crop(image: Image, corner: tuple[int, int] | None = None) -> Image:
    """Cut the explored region, at most `SIDE` x `SIDE`, out of a radiograph (H, W).

    corner: see `State`. Raises XbdcnnError if the region exceeds the radiograph.
    """
    top, left, height, width = region(image.shape, corner)
    return image[top : top + height, left : left + width]


def region(
    shape: tuple[int, int], corner: tuple[int, int] | None = None
) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the explored region in a radiograph (H, W), see `crop`."""
    height, width = (min(SIDE, length) for length in shape)
    last_top, last_left = shape[0] - height, shape[1] - width
    top, left = corner or (last_top // 2, last_left // 2)
    if not (0 <= top <= last_top and 0 <= left <= last_left):
        raise XbdcnnError(
            f"a region of {height} x {width} pixels at {(top, left)} exceeds the radiograph "
            f"of {shape[0]} x {shape[1]}; move its corner"
        )
    return top, left, height, width


def simulate(clean: Image, state: State) -> Image:
    """Eq. 1 with the state's eta, sigma and seed, or no noise; equal states give equal noise.

    clean: (H, W) in [0, 1]. Returns float32, clipped to [0, 1]. Raises XbdcnnError on bad levels
    or a bad image, see `noise.add_hybrid_noise`.
    """
    if state.as_it_is:
        return np.array(clean, np.float32)
    generator = torch.Generator().manual_seed(state.seed)
    g = torch.from_numpy(np.array(clean, np.float32))
    return add_hybrid_noise(g, state.eta, state.sigma, generator).numpy()


def denoise_state(clean: Image, noisy: Image, state: State, methods: Mapping[str, Method]) -> View:
    """Denoise `noisy` by the state's method and compare it with `clean`, both (H, W) in [0, 1].

    Raises XbdcnnError if the method is not in `methods`, or rejects the image.
    """
    if state.method not in methods:
        raise XbdcnnError(f"unknown method {state.method!r}; choose from {', '.join(methods)}")
    restored, maps = methods[state.method](noisy, state.eta, state.sigma)
    restored = (noisy + np.float32(state.strength) * (restored - noisy)).astype(np.float32)
    scores = [None if state.as_it_is else quality(image, clean) for image in (noisy, restored)]
    return View(noisy, restored, noisy - restored, maps, *scores)


def quality(image: Image, clean: Image, with_ssim: bool = True) -> Quality:
    """PSNR, SNR and SSIM of an image (H, W) in [0, 1], see `xbdcnn.metrics`.

    with_ssim: False leaves out SSIM, which takes most of the time; it is then not a number.
    """
    psnr, snr = (float(score(image, clean)) for score in (metrics.psnr, metrics.snr))
    return Quality(psnr, snr, float(metrics.ssim(image, clean)) if with_ssim else math.nan)


def middle_line(shape: tuple[int, int]) -> Line:
    """Horizontal line through the centre of a region (H, W), the initial line of the profile."""
    height, width = shape
    return (height // 2, 0, height // 2, width - 1)


def profile(image: Image, line: Line) -> NDArray[np.float32]:
    """Grey levels, 0 to 255, along a line, one per pixel of its length; (n,) float32.

    Takes the nearest pixels, because interpolation would reduce the noise. Points outside the image
    (H, W) are moved to its border.
    """
    row, column, last_row, last_column = line
    count = max(abs(last_row - row), abs(last_column - column)) + 1
    steps = (np.linspace(row, last_row, count), np.linspace(column, last_column, count))
    indices = (
        np.rint(step).astype(int).clip(0, length - 1)
        for step, length in zip(steps, image.shape, strict=True)
    )
    return image[tuple(indices)] * np.float32(GREY_LEVELS)


def histogram(image: Image) -> NDArray[np.float64]:
    """Share of the pixels of (H, W) in each of `BINS` equal bins from black to white."""
    bins = (image.ravel() * BINS).astype(int).clip(0, BINS - 1)
    return np.bincount(bins, minlength=BINS) / image.size


def describe(state: State, mean_grey: float) -> str:
    """Describe in one sentence the noise of a pixel of `mean_grey` grey levels.

    The photon count is eta times the grey level; its square root, in grey levels, is the quantum
    noise sqrt(g / eta) of Eq. 1.
    """
    quantum, total = (
        float(noise_variance(mean_grey / GREY_LEVELS, state.eta, sigma))
        for sigma in (0.0, state.sigma)
    )
    if total == 0:
        return "A black pixel without electronic noise stays black: it has no noise."
    return (
        f"In the model a pixel of average brightness ({mean_grey:.0f} of 255) receives about "
        f"{state.eta * mean_grey:.0f} photons, hence {quantum**0.5:.1f} grey levels of quantum "
        f"noise; with {state.sigma:.1f} grey levels of electronic noise the total is "
        f"{total**0.5:.1f}, and {quantum / total:.0%} of the noise variance is quantum noise."
    )
