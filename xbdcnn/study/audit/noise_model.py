"""The noise model (Sec. II-A): the meaning of eta in Table II, and the noise of real detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.detector import air_kerma
from xbdcnn.measured_noise import WEAK_MARGIN, fit_laws, single_exposure, trained_noise
from xbdcnn.measured_noise.report import best_law
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise
from xbdcnn.study.audit.ledger import Finding, Verdict, measured
from xbdcnn.study.ordinary_exposure import EFFICIENCY, KERMA

Cells = dict[tuple[float, float], float]

READINGS: dict[str, Callable[[float, float], float]] = {
    "gain, p = Poisson(eta g) / eta": lambda excess, eta: eta * excess,
    "no scale factor, as Eq. 2 prints it": lambda excess, eta: excess,
    "factor of the noise, variance eta g": lambda excess, eta: excess / eta,
    "factor of the noise's amplitude, variance eta^2 g": lambda excess, eta: excess / eta**2,
}
"""Mean grey level as a function of (variance - sigma^2, eta), under each reading of eta."""


def implied_means(reading: str, cells: Cells = paper.TABLE_2_NOISY_PSNR) -> NDArray[np.float64]:
    """Compute the mean grey level that each cell implies; equal if the reading is correct."""
    invert = READINGS[reading]
    excess = {
        (eta, sigma): GREY_LEVELS**2 / 10 ** (psnr / 10) - sigma**2
        for (eta, sigma), psnr in cells.items()
    }
    return np.array([invert(value, eta) for (eta, _), value in excess.items()])


def eta_is_a_gain(cells: Cells = paper.TABLE_2_NOISY_PSNR) -> Finding:
    """Find the reading of eta that implies the same mean grey level in all nine cells."""
    means = {name: implied_means(name, cells) for name in READINGS}
    spread = {name: values.std() / values.mean() for name, values in means.items()}
    ranked = sorted(spread, key=lambda name: spread[name])
    best, gain = ranked[0], next(iter(READINGS))
    verdict: Verdict = "not stated, inferred" if best == gain else "text and code differ"
    return Finding(
        point="Meaning of eta",
        part="printed tables",
        claim="eta is a scale factor of the intensity of the Poisson noise",
        equation="Eq. 2 has no eta: lambda = g",
        released="numpy.random.poisson(eta g) / eta on 8-bit grey levels (`utils`)",
        choice="photons per grey level of the 8-bit scale",
        evidence=f"'{best}' implies mean grey levels of {means[best].min():.0f} to "
        f"{means[best].max():.0f} (coefficient of variation {spread[best]:.1%}); the next best "
        f"reading has {spread[ranked[1]]:.0%}",
        verdict=verdict if spread[best] < 0.05 else "self-contradiction",
        confidence="high",
    )


def simulated_psnr(images: Sequence[NDArray[np.floating]], seed: int = 0) -> Cells:
    """Simulate the mean noisy PSNR in dB of images (H, W) in [0, 1] in the cells of Table II."""
    generator = torch.Generator().manual_seed(seed)
    clean = [torch.from_numpy(np.ascontiguousarray(image, np.float32)) for image in images]
    return {
        (eta, sigma): float(
            np.mean([metrics.psnr(add_hybrid_noise(g, eta, sigma, generator), g) for g in clean])
        )
        for eta, sigma in paper.TABLE_2
    }


def nine_cells(
    ours: Cells,
    count: int,
    unit: str = "radiographs",
    cells: Cells = paper.TABLE_2_NOISY_PSNR,
) -> Finding:
    """Check whether our noise on real radiographs reproduces the noisy PSNR of the paper.

    ours: mean PSNR in dB by (eta, sigma) over `count` images, e.g. from `simulated_psnr`; unit:
    name of the images, see `Source.unit`.
    """
    off = np.array([ours[cell] - cells[cell] for cell in cells])
    return Finding(
        point="Noise of Table II, simulated",
        part="our measurements",
        claim="hybrid noise of the stated eta and sigma was added to ten radiographs",
        equation="noisy PSNR of nine cells",
        released="clipped to 0 ... 255 (`utils`)",
        choice="clipped likewise, in [0, 1]",
        evidence=f"with our noise on {count} {unit} PSNR differs from the printed values by "
        f"{off.min():+.2f} to {off.max():+.2f} dB, with a standard deviation of "
        f"{np.std(off):.2f} dB",
        # Images of another brightness shift all cells alike.
        verdict=measured(bool(np.std(off) < 0.15 and abs(off.mean()) < 1)),
        confidence="high",
    )


def follows_the_physics(
    image: NDArray[np.floating], snr: tuple[float, float], effect: str = "–"
) -> Finding:
    """Check whether the noise of a radiograph in a logarithmic display has the law of Eq. 1.

    image: (H, W) in [0, 1], e.g. `builtin_radiograph`; snr: signal-to-noise ratio of its stored
    values in the whitest and the darkest part, from `detectors.stored_snr`. It agrees if the
    variance rises with the grey level and a line is the best law by `best_law`; it is too weak if
    another law is better by less than `WEAK_MARGIN`.
    """
    bins = single_exposure(image)
    law, margin = best_law(bins)
    laws = {other.name: other for other in fit_laws(bins)}
    exponent, line = laws["power"].parameters[1], laws["affine"]
    is_line = law.name in ("linear", "affine")
    weak = exponent > 0 and not is_line and margin < WEAK_MARGIN
    return Finding(
        point="Noise model follows the physics",
        part="our measurements",
        claim="the noise model is in line with X-ray imaging systems",
        equation="Eq. 1-2: variance g / eta + sigma^2, and the signal-to-noise ratio rises with g",
        released="numpy.random.poisson of the displayed grey level (`utils`)",
        choice="Eq. 1 to follow the paper; `detector.detector_noise` for the physics",
        evidence=f"in a logarithmic display of one radiograph the variance "
        f"{'rises' if exponent > 0 else 'falls'} with the grey level, as g^{exponent:.1f}, and the "
        f"most likely law is {law.name} (relative error {law.error:.0%}, affine "
        f"{line.error:.0%}, exponential {laws['exponential'].error:.0%}); the mean over the "
        f"standard deviation of the stored values, which were processed, is {snr[1]:.0f} in the "
        f"darkest sixteenth of the pixels and {snr[0]:.0f} in the whitest",
        effect=effect,
        verdict=measured(None if weak else is_line and exponent > 0),
        confidence="moderate",
    )


def independent_pixels(detectors: pd.DataFrame, limit: float = 0.05) -> Finding:
    """Check whether the noise of adjacent pixels is uncorrelated in real detectors.

    detectors: from `study.detectors.measure_detectors`, without rows of the same data. It disagrees
    if the correlation exceeds `limit` in one of those with repeated exposures, and is too weak if
    only in single radiographs, of which anatomy can raise it.
    """
    largest = detectors.set_index("detector")[["across", "down"]].max(axis=1)
    repeated = detectors.set_index("detector")["unit"] == "counts"
    certain, upper = largest[repeated], largest[~repeated]
    certainly, possibly = bool((certain > limit).any()), bool((upper > limit).any())
    return Finding(
        point="Noise is independent between pixels",
        part="our measurements",
        claim="not stated; the model draws the noise of each pixel independently",
        equation="Eq. 1-2 hold for each pixel (x, y)",
        released="independent random numbers for each pixel (`utils`)",
        choice="independent in training; correlated noise is measured separately",
        evidence=f"the correlation of adjacent pixels exceeds {limit:g} in "
        f"{_exceeding(certain, limit, 'detectors with repeated exposures')} and, as an upper limit "
        f"that includes anatomy, in {_exceeding(upper, limit, 'sources of single radiographs')}",
        verdict=measured(None if possibly and not certainly else not certainly),
        confidence="moderate",
    )


def _exceeding(correlation: pd.Series, limit: float, kind: str) -> str:
    above = correlation[correlation > limit]
    named = ", ".join(f"{name}: {value:.2f}" for name, value in above.items())
    return f"{len(above)} of {len(correlation)} {kind}" + (f" ({named})" if named else "")


PIXEL = 0.375
"""Side in mm of a pixel of ChestX-ray8: 2682 detector pixels of 0.143 mm reduced to 1024."""


def levels_of_radiographs(residual: pd.Series, brightness: float) -> Finding:
    """Compare the levels of the training with the noise of real radiographs.

    residual: noise in grey levels, one value per radiograph, from `images.residual_noise`;
    brightness: mean grey level of radiographs. It agrees if most radiographs have at least the
    weakest noise of the training, and disagrees if none has. The variance of quantum noise is
    inversely proportional to the dose.
    """
    weakest, strongest = trained_noise(brightness)
    usual, share = float(residual.median()), float((residual >= weakest).mean())
    return Finding(
        point="Levels of the paper against real radiographs",
        part="our measurements",
        claim="the model characterises real noise at a low dose; no dose is stated",
        equation="eta in (0.4, 1.9), sigma in (0, 20)",
        choice="the paper's ranges, in training and in the tables",
        evidence=f"the noise of the training is {weakest:.0f} to {strongest:.0f} grey levels at a "
        f"mean of {brightness:.0f}, that of {len(residual)} radiographs {residual.min():.1f} to "
        f"{residual.max():.1f}, median {usual:.1f}, by an estimate that is too low for correlated "
        f"noise; as quantum noise alone that is {(weakest / usual) ** 2:,.0f} to "
        f"{(strongest / usual) ** 2:,.0f} times fewer photons in the training; {kerma_text()}",
        verdict=measured(None if 0 < share <= 0.5 else share > 0.5),
        confidence="moderate",
    )


def kerma_text() -> str:
    """Describe the dose of the paper's eta, if grey levels are numbers of photons."""
    low, high = (air_kerma(GREY_LEVELS * eta, PIXEL, EFFICIENCY) for eta in paper.ETA_RANGE)
    return (
        "if the 255 eta photons that the model gives to white were detected there, the dose would "
        f"be {low:.2f} to {high:.2f} microgray (RQA5, pixels of {PIXEL:g} mm, DQE "
        f"{EFFICIENCY:g}), {low / KERMA:.1%} to "
        f"{high / KERMA:.1%} of the {KERMA:g} microgray of a usual chest radiograph"
    )
