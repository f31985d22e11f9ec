"""The noise of an X-ray detector from its physics: photons, scintillator, read-out, display.

Eq. 1-2 draw the photons of a pixel from its displayed grey level, so that white has the most. In a
radiograph white is bone, which few photons pass. `detector_noise` follows them from the beam to the
displayed image. Quanta: X-ray photons that the detector absorbs, per pixel. Transmission: quanta
divided by those of the beam without a patient. Images: (B, 1, H, W), floating point; a parameter
of an image is a number, or (B,) for one value per image.

References:
    Swank, Absorption and noise in x-ray phosphors, J. Appl. Phys. 44(9), 1973.
    Cunningham and Shaw, Signal-to-noise optimization of medical imaging systems, J. Opt. Soc. Am.
    A 16(3), 1999: quantum noise, gain and scatter of light as a chain of stages.
    IEC 62220-1:2003, Determination of the detective quantum efficiency.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.noise import GREY_LEVELS, per_image

FLUENCE = {"RQA3": 21759.0, "RQA5": 30174.0, "RQA7": 32362.0, "RQA9": 31077.0}
"""Photons per mm^2 and microgray of air kerma of the standard beams (IEC 62220-1:2003, Table 2)."""

LARGEST_BLUR = 4.0
"""Largest blur in pixels of `scintillator_blur`, whose kernel reaches four times as far."""

SMALLEST_SIGNAL = 0.5
"""Quanta; a logarithmic display shows smaller signals as this one, since log(0) is infinite."""


class Display(NamedTuple):
    """How transmissions become grey levels g in [0, 1]: those of black and of white, and the law.

    Logarithmic: g = log(black / t) / log(black / white). Linear: g = (t - black) / (white - black).
    The defaults are the display of the built-in radiograph, see `data.builtin_radiograph`.
    """

    black: float = 1.0
    white: float = 0.08
    logarithmic: bool = True


RADIOGRAPH = Display()
"""Direct exposure is black, 8 % transmission white, with a logarithm between them."""

GREY_IS_PHOTONS = Display(black=0.0, white=1.0, logarithmic=False)
"""The display under which `detector_noise` is Eq. 1: grey levels proportional to the photons."""


def beer_lambert(thickness: Tensor, attenuation: float | Tensor) -> Tensor:
    """t = exp(-mu x): transmission of x cm with attenuation mu per cm; one energy, no scatter.

    >>> beer_lambert(torch.tensor([0.0, 10.0]), attenuation=0.2)
    tensor([1.0000, 0.1353])
    """
    return torch.exp(-attenuation * thickness)


def detected_quanta(expected: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """N = Poisson(expected): absorbed photons per pixel; mean and variance are equal.

    >>> quanta = detected_quanta(torch.full((1, 1, 512, 512), 100.0))
    >>> round(float(quanta.mean())), round(float(quanta.std()))
    (100, 10)
    """
    return torch.poisson(expected, generator=generator)


def light_output(
    quanta: Tensor,
    gain: float | Tensor,
    swank: float | Tensor = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Signal m N + m sqrt(N (1 / A - 1)) z of N quanta, each of which gives m counts on average.

    A = E[m]^2 / E[m^2], in (0, 1], is the Swank factor (Swank 1973): the light of a quantum varies,
    so the signal has the variance m^2 E[N] / A. z: standard normal, as the sum over many quanta is.
    gain: m, counts per quantum.
    """
    gain, excess = per_image(gain, quanta), 1 / per_image(swank, quanta) - 1
    normal = _normal_like(quanta, generator)
    return gain * (quanta + (quanta * excess).sqrt() * normal)


def scintillator_blur(image: Tensor, blur: float | Tensor) -> Tensor:
    """Convolve with a Gaussian of standard deviation `blur` in pixels, mirrored at the border.

    The light of a quantum spreads over adjacent pixels. Blur before the quantum noise, of the
    expected quanta, makes the image less sharp and leaves the noise white. Blur after it correlates
    the noise, whose power spectrum falls by `blur_transfer` squared. XbdcnnError unless blur is
    within 0 and `LARGEST_BLUR`; the image must be wider than four times the blur.
    """
    blur = torch.as_tensor(blur, dtype=image.dtype, device=image.device)
    largest = float(blur.max())
    if not (float(blur.min()) >= 0 and largest <= LARGEST_BLUR):
        raise XbdcnnError(f"blur must be within 0 and {LARGEST_BLUR:g} pixels")
    if largest == 0:
        return image
    reach = math.ceil(4 * largest)
    kernel = _gaussian_kernel(blur.expand(len(image)), reach)  # (B, 2 reach + 1)
    stacked = F.pad(image.transpose(0, 1), (reach,) * 4, mode="reflect")  # (1, B, H', W')
    rows = F.conv2d(stacked, kernel[:, None, None, :], groups=len(image))
    return F.conv2d(rows, kernel[:, None, :, None], groups=len(image)).transpose(0, 1)


def blur_transfer(frequency: Tensor, blur: float) -> Tensor:
    """MTF(f) = sum_n k_n cos(2 pi n f) of `scintillator_blur`'s kernel k; f: cycles per pixel.

    From 0.8 pixels on it is the exp(-2 (pi blur f)^2) of a Gaussian that is not sampled.
    """
    reach = math.ceil(4 * blur)
    kernel = _gaussian_kernel(torch.tensor([blur], dtype=frequency.dtype), reach)[0]
    offsets = torch.arange(-reach, reach + 1, dtype=frequency.dtype)
    return torch.cos(2 * math.pi * frequency[..., None] * offsets) @ kernel


def blur_correlation(blur: float) -> float:
    """rho = sum_n k_n k_(n+1) / sum_n k_n^2: correlation of adjacent pixels of blurred white noise.

    From 0.8 pixels on it is exp(-1 / (4 blur^2)).

    >>> round(blur_correlation(1.0), 3)
    0.779
    """
    kernel = _gaussian_kernel(torch.tensor([blur], dtype=torch.float64), math.ceil(4 * blur))[0]
    return float((kernel[1:] * kernel[:-1]).sum() / kernel.square().sum())


def readout_noise(
    like: Tensor, electronic: float | Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """White normal noise of standard deviation `electronic` in quanta, shaped like `like`."""
    return per_image(electronic, like) * _normal_like(like, generator)


def displayed(t: Tensor, display: Display = RADIOGRAPH) -> Tensor:
    """Grey level g of a transmission t, see `Display`; nominally in [0, 1], not clipped."""
    if display.logarithmic:
        return torch.log(display.black / t) / _log_ratio(display)
    return (t - display.black) / (display.white - display.black)


def transmission(g: Tensor, display: Display = RADIOGRAPH) -> Tensor:
    """Invert `displayed`: the transmission that a grey level in [0, 1] stands for.

    >>> transmission(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000, 0.2828, 0.0800])
    """
    if display.logarithmic:
        return display.black * torch.exp(-_log_ratio(display) * g)
    return display.black + (display.white - display.black) * g


def detector_noise(
    g: Tensor,
    dose: float | Tensor,
    electronic: float | Tensor = 0.0,
    blur: float | Tensor = 0.0,
    display: Display = RADIOGRAPH,
    generator: torch.Generator | None = None,
    swank: float | Tensor = 1.0,
    clip: bool = True,
) -> Tensor:
    """Degrade a displayed image as a detector with fewer photons would have recorded it.

    f = D((q + K * (N - q) + n) / dose): expected quanta q = dose t(g), their count N with the
    excess noise of the gain, scintillator K, electronic noise n, display D. K blurs the noise only,
    since g shows the image as a detector has blurred it already.

    With `GREY_IS_PHOTONS`, dose = 255 eta, electronic = eta sigma and neither blur nor excess
    noise, this is Eq. 1: f = Poisson(255 eta g) / (255 eta) + N(0, sigma^2).

    Args:
        g: noise-free displayed image, (B, 1, H, W) in [0, 1].
        dose: quanta per pixel at transmission 1, > 0.
        electronic: standard deviation of the electronic noise in quanta, >= 0.
        blur, swank: see `scintillator_blur` and `light_output`.
        display: how transmissions become grey levels.
        generator: random generator on g's device; None for PyTorch's global one.
        clip: clip f to [0, 1].

    Returns:
        f, of g's shape, dtype and device. The same generator state gives the same f. XbdcnnError
        for a blur out of range, or a parameter that is neither a number nor (B,).

    >>> f = detector_noise(torch.full((1, 1, 512, 512), 0.5), dose=1000.0)
    >>> round(float(255 * f.std()), 1)  # grey levels; sqrt(282.8) photons of 282.8
    6.0
    """
    beam = per_image(dose, g)
    expected = beam * transmission(g, display)  # (B, 1, H, W), quanta
    quanta = light_output(detected_quanta(expected, generator), 1.0, swank, generator)
    signal = expected + scintillator_blur(quanta - expected, blur)
    signal = signal + readout_noise(expected, electronic, generator)
    if display.logarithmic:
        signal = signal.clamp(min=SMALLEST_SIGNAL)
    f = displayed(signal / beam, display)
    return f.clamp(0.0, 1.0) if clip else f


def displayed_variance(
    g: Tensor, dose: float, electronic: float = 0.0, display: Display = RADIOGRAPH
) -> Tensor:
    """Var f in grey levels^2 of `detector_noise`, to first order, without blur and clipping.

    Var t = (t + electronic^2 / dose) / dose, times the squared slope of the display. With the
    logarithm it is an exponential of the grey level, g = 1 (bone) having the most noise.

    >>> displayed_variance(torch.tensor([0.0, 1.0]), dose=1000.0).sqrt()
    tensor([ 3.1927, 11.2878])
    """
    t = transmission(g, display)
    slope = 1 / (t * _log_ratio(display) if display.logarithmic else display.white - display.black)
    return (GREY_LEVELS * slope) ** 2 * (t + electronic**2 / dose) / dose


def air_kerma(quanta: float, pixel: float, efficiency: float = 1.0, beam: str = "RQA5") -> float:
    """Air kerma at the detector in microgray that gives a number of detected quanta per pixel.

    quanta / (efficiency * pixel^2 * FLUENCE[beam]); pixel: its side in mm; efficiency: share of
    the photons that the detector counts as quanta, its DQE at low frequency.

    >>> round(air_kerma(quanta=1000, pixel=0.143, efficiency=0.65), 2)
    2.49
    """
    return quanta / (efficiency * pixel**2 * FLUENCE[beam])


def _log_ratio(display: Display) -> float:
    return math.log(display.black / display.white)


def _normal_like(image: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype)


def _gaussian_kernel(blur: Tensor, reach: int) -> Tensor:
    """Normalised Gaussians of (B,) standard deviations at -reach ... reach, (B, 2 reach + 1)."""
    offsets = torch.arange(-reach, reach + 1, dtype=blur.dtype, device=blur.device)
    kernel = torch.exp(-0.5 * (offsets / blur.clamp(min=1e-6)[:, None]) ** 2)  # 0: no blur
    return kernel / kernel.sum(dim=1, keepdim=True)
