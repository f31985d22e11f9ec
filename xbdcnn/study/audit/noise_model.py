"""The meaning of eta: noisy PSNR of Table II, inverted and simulated (Sec. II-A)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise
from xbdcnn.study.audit.ledger import Finding

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
    return Finding(
        point="Meaning of eta",
        claim="eta is a scale factor of the intensity of the Poisson noise",
        equation="Eq. 2 has no eta: lambda = g",
        released="numpy.random.poisson(eta g) / eta on 8-bit grey levels",
        choice="photons per grey level of the 8-bit scale",
        evidence=f"'{best}' implies mean grey levels of {means[best].min():.0f} to "
        f"{means[best].max():.0f} (coefficient of variation {spread[best]:.1%}); the next best "
        f"reading has {spread[ranked[1]]:.0%}",
        verdict="confirmed" if best == gain and spread[best] < 0.05 else "contradicted",
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
        claim="hybrid noise of the stated eta and sigma was added to ten radiographs",
        equation="noisy PSNR of nine cells",
        released="clipped to 0 ... 255",
        choice="clipped likewise, in [0, 1]",
        evidence=f"with our noise on {count} {unit} PSNR differs from the printed values by "
        f"{off.min():+.2f} to {off.max():+.2f} dB, with a standard deviation of "
        f"{np.std(off):.2f} dB",
        # Images of another brightness shift all cells alike.
        verdict="confirmed" if np.std(off) < 0.15 and abs(off.mean()) < 1 else "contradicted",
        confidence="high",
    )
