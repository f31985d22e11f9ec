"""The hybrid Poisson-Gaussian noise of an X-ray detector (Sec. II-A, Eq. 1-2).

Images have values in [0, 1]; eta and sigma refer to the 8-bit grey scale, as in the paper.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError

GREY_LEVELS = 255.0
"""White on the 8-bit scale on which the paper states eta and sigma."""

TrainingNoise = Literal["radiographs", "paper"]
"""Noise of `training.radiograph_noise`, or that of Eq. 1 in the paper's range."""

STRONGEST_NOISE = 35.0
"""Strongest training noise of radiographs: standard deviation at mid grey, in grey levels."""

LARGEST_BLUR = 1.5
"""Blur in pixels of the most correlated training noise of radiographs."""

LevelScaling = Literal["released", "unit", "grey levels"]
"""Units of the level maps: (eta, sigma / 255), both divided by the top of their range, or (eta,
sigma) as the paper gives them, per grey level and in grey levels."""

LevelMaps = Literal["eta and sigma", "standard deviation"]
"""What an NLE estimates: `level_maps`, or the one map of `standard_deviation_map`."""

_SCALES = {
    "released": (1.0, GREY_LEVELS),
    "unit": (paper.ETA_RANGE[1], paper.SIGMA_RANGE[1]),
    "grey levels": (1.0, 1.0),
}

_Values = TypeVar("_Values", float, Tensor, NDArray[np.floating])


def quantum_noise(
    g: Tensor, eta: float | Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Eq. 2: p = Poisson(255 eta g) / (255 eta), the photon counts on the grey scale of g.

    g: (B, 1, H, W) in [0, 1], floating point; eta > 0: photons per grey level, a number or (B,).
    Returns p, shaped like g, not clipped. Infinite eta means no noise: p = g. XbdcnnError if eta
    is neither a number nor (B,); `add_hybrid_noise` validates the values.

    >>> p = quantum_noise(torch.full((1, 1, 512, 512), 0.5), eta=0.5)
    >>> round(float((255 * p).std()))  # sqrt(127.5 / 0.5) grey levels
    16
    """
    photons_at_white = (GREY_LEVELS * per_image(eta, g)).expand_as(g)  # (B, 1, H, W)
    finite = torch.isfinite(photons_at_white)
    counts = torch.poisson(torch.where(finite, photons_at_white, 0.0) * g, generator=generator)
    return torch.where(finite, counts / photons_at_white, g)


def electronic_noise(
    g: Tensor, sigma: float | Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Eq. 1: n ~ N(0, sigma^2), shaped like g, on the [0, 1] scale; "thermal noise" in the paper.

    sigma >= 0: standard deviation in 8-bit grey levels, a number or (B,), else XbdcnnError.

    >>> round(float(255 * electronic_noise(torch.zeros(1, 1, 512, 512), sigma=10.0).std()))
    10
    """
    normal = torch.randn(g.shape, generator=generator, device=g.device, dtype=g.dtype)
    return normal * (per_image(sigma, g) / GREY_LEVELS)


def add_hybrid_noise(
    g: Tensor,
    eta: float | Tensor,
    sigma: float | Tensor,
    generator: torch.Generator | None = None,
    clip: bool = True,
    check: bool = True,
) -> Tensor:
    """Eq. 1: f = p + n, quantum plus electronic noise; the variance is g / eta + sigma^2.

    Args:
        g: noise-free image, (B, 1, H, W) or any shape, floating point in [0, 1].
        eta: photons per grey level, > 0; a number, or (B,) for one value per image.
        sigma: standard deviation in 8-bit grey levels, >= 0; a number or (B,).
        generator: random generator on g's device; None for PyTorch's global one.
        clip: clip f to [0, 1] as an 8-bit detector does (released code).
        check: validate g, eta and sigma; off in the training loop, since it waits for the GPU.

    Returns:
        f, of g's shape, dtype and device. The same generator state gives the same f.

    Raises:
        XbdcnnError: g is not finite or outside [0, 1], eta <= 0, or sigma < 0 or not finite.

    >>> f = add_hybrid_noise(torch.full((1, 1, 512, 512), 0.5), eta=0.6, sigma=10.0)
    >>> f.shape, round(float((255 * f).std()))  # sqrt(127.5 / 0.6 + 10^2) grey levels
    (torch.Size([1, 1, 512, 512]), 18)
    """
    if check:
        _validate(g, eta, sigma)
    f = quantum_noise(g, eta, generator) + electronic_noise(g, sigma, generator)
    return f.clamp(0.0, 1.0) if clip else f


def add_hybrid_noise_numpy(
    g: NDArray[np.floating], eta: float, sigma: float, rng: np.random.Generator, clip: bool = True
) -> NDArray[np.float32]:
    """Eq. 1-2 in NumPy: `add_hybrid_noise` for one image of any shape; returns float32.

    Units, limits and errors are the same; the random numbers differ, their distribution does not.
    """
    _validate(g, eta, sigma)
    p = g if np.isinf(eta) else rng.poisson(GREY_LEVELS * eta * g) / (GREY_LEVELS * eta)
    f = p + rng.normal(0.0, sigma / GREY_LEVELS, g.shape)
    return (f.clip(0.0, 1.0) if clip else f).astype(np.float32)


def noise_variance(g: _Values, eta: float | _Values, sigma: float | _Values) -> _Values:
    """Var f = g / eta + sigma^2 of Eq. 1 before clipping; g in [0, 1], result in grey levels^2.

    >>> noise_variance(0.4, eta=0.5, sigma=10.0)
    304.0
    """
    return GREY_LEVELS * g / eta + sigma**2


def standard_deviation_map(g: Tensor, eta: float | Tensor, sigma: float | Tensor) -> Tensor:
    """sqrt(Var f) of Eq. 1 before clipping, at each pixel and on the [0, 1] scale; shaped like g.

    g: (B, 1, H, W) in [0, 1], floating point; eta > 0, sigma >= 0: numbers or (B,) in the paper's
    units, else XbdcnnError. With sigma_s^2 = 1 / (255 eta) and sigma_c = sigma / 255 it is the
    noise level map sqrt(sigma_s^2 g + sigma_c^2) of CBDNet (Guo et al. 2019, Sec. 3.1).

    >>> standard_deviation_map(torch.full((1, 1, 1, 1), 0.4), eta=0.5, sigma=10.0) * 255  # 304^0.5
    tensor([[[[17.4356]]]])
    """
    return noise_variance(g, per_image(eta, g), per_image(sigma, g)).sqrt() / GREY_LEVELS


def implied_mean(psnr: float, eta: float, sigma: float) -> float:
    """Mean grey level that a noisy PSNR in dB implies, from MSE = mean / eta + sigma^2.

    Numbers or arrays; 8-bit scale, without clipping. If eta is a gain on that scale, the mean is
    the same at every noise level, so the first column of Table II tests that reading of eta.

    >>> round(implied_mean(22.5162, eta=0.4, sigma=5.0), 1)  # Table II
    135.7
    """
    return eta * (GREY_LEVELS**2 / 10 ** (psnr / 10) - sigma**2)


def sample_levels(
    count: int,
    generator: torch.Generator | None = None,
    sampling: Literal["continuous", "grid"] = "continuous",
) -> tuple[Tensor, Tensor]:
    """Draw (eta, sigma), each (count,) float32, from the paper's training ranges (Sec. II-A).

    "continuous": uniform on (0.4, 1.9) and (0, 20), as the text says.
    "grid": eta from 0.4, 0.5, ..., 1.8 and integer sigma from 0 to 19, as in the released code.
    """
    if sampling == "grid":
        eta = torch.randint(4, 19, (count,), generator=generator) / 10.0
        sigma = torch.randint(0, 20, (count,), generator=generator).float()
        return eta, sigma
    unit = torch.rand(2, count, generator=generator)
    low, high = torch.tensor([paper.ETA_RANGE, paper.SIGMA_RANGE]).T[..., None]
    eta, sigma = low + (high - low) * unit
    return eta, sigma


def level_maps(
    eta: float | Tensor, sigma: float | Tensor, like: Tensor, scaling: LevelScaling = "released"
) -> Tensor:
    """Constant maps of eta and sigma, (B, 2, H, W), the target of the NLE (Sec. II-B).

    eta, sigma: numbers or (B,) in the paper's units, else XbdcnnError; like: (B, 1, H, W), gives
    shape, dtype and device; scaling: see `LevelScaling`.

    >>> level_maps(0.4, 5.0, torch.zeros(1, 1, 8, 8), "unit")[0, :, 0, 0]
    tensor([0.2105, 0.2500])
    """
    maps = torch.stack([per_image(level, like)[:, 0] for level in (eta, sigma)], dim=1)
    scale = torch.tensor(_SCALES[scaling], dtype=like.dtype, device=like.device)  # (2,)
    return (maps / scale[:, None, None]).expand(like.shape[0], 2, *like.shape[-2:])


def levels_from_maps(maps: Tensor, scaling: LevelScaling = "released") -> tuple[Tensor, Tensor]:
    """Invert `level_maps`: the mean of each map, (B,) eta and (B,) sigma in the paper's units."""
    scale = torch.tensor(_SCALES[scaling], dtype=maps.dtype, device=maps.device)
    eta, sigma = (maps.mean(dim=(-2, -1)) * scale).unbind(dim=1)
    return eta, sigma


def mid_range_levels(
    scaling: LevelScaling = "released", kind: LevelMaps = "eta and sigma"
) -> Tensor:
    """(2,) eta and sigma in the middle of the paper's training ranges, in units of `scaling`.

    For the other `kind`, (1,) standard deviation of that noise at mid grey, on the [0, 1] scale.
    """
    eta, sigma = (sum(limits) / 2 for limits in (paper.ETA_RANGE, paper.SIGMA_RANGE))
    mid_grey = torch.full((1, 1, 1, 1), 0.5)
    if kind == "standard deviation":
        return standard_deviation_map(mid_grey, eta, sigma).flatten()
    return level_maps(eta, sigma, mid_grey, scaling).flatten()


_ERRORS = {
    "image": "the image must be finite and within [0, 1]; load it with xbdcnn.data.load_radiograph",
    "eta": "eta must be greater than 0 (photons per grey level; the paper trains on 0.4 to 1.9)",
    "sigma": "sigma must be finite and at least 0 (8-bit grey levels; the paper trains on 0 to 20)",
    "levels": "eta and sigma must be single numbers or hold one value per image",
}


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise XbdcnnError(_ERRORS[name])


def _validate(g: Tensor | NDArray[np.floating], eta: float | Tensor, sigma: float | Tensor) -> None:
    _require(bool(((g >= 0) & (g <= 1)).all()), "image")
    eta, sigma = torch.as_tensor(eta), torch.as_tensor(sigma)
    _require(bool((eta > 0).all()), "eta")
    _require(bool((torch.isfinite(sigma) & (sigma >= 0)).all()), "sigma")


def per_image(level: float | Tensor, g: Tensor) -> Tensor:
    """Reshape a number or (B,) values so that they broadcast over g's images, else XbdcnnError.

    >>> per_image(torch.tensor([1.0, 2.0]), torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 1, 1, 1])
    """
    level = torch.as_tensor(level, dtype=g.dtype, device=g.device)
    if level.ndim == 0:
        return level.expand((1,) * g.ndim)
    _require(level.ndim == 1 and level.shape[0] == g.shape[0], "levels")
    return level.reshape(-1, *(1,) * (g.ndim - 1))
