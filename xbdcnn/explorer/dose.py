"""Dose in the terms of Eq. 1, and the noise levels that the explorer offers by name."""

from __future__ import annotations

from xbdcnn import paper
from xbdcnn.detector import air_kerma
from xbdcnn.noise import GREY_LEVELS

MID_GREY = GREY_LEVELS / 2

ORDINARY_QUANTA = 1000.0
"""Detected quanta per pixel at mid grey of an ordinary chest exposure, see `CONVENTION`."""

PIXEL, EFFICIENCY = 0.143, 0.65
"""Side of a pixel in mm and share of the photons detected, as in notebook 01."""

ORDINARY_ETA = round(ORDINARY_QUANTA / MID_GREY, 2)
"""Photons per grey level of an ordinary exposure in Eq. 1."""

CONVENTION = (
    f"Ordinary exposure: {ORDINARY_QUANTA:.0f} photons per pixel at mid grey, "
    f"η = {ORDINARY_ETA:.2f}, which is about "
    f"{air_kerma(ORDINARY_QUANTA, PIXEL, EFFICIENCY):.1f} µGy at the detector (pixels of "
    f"{PIXEL} mm, {EFFICIENCY:.0%} of the photons detected). In Eq. 1 white has the most photons; "
    "in a detector it has the fewest."
)
"""Convention of the percentages of `describe_dose`."""

PRESETS = {
    f"Table II: η {eta}, σ {sigma:.0f}": (eta, sigma)
    for sigma in paper.SIGMAS
    for eta in paper.ETAS
} | {
    "ordinary radiograph": (ORDINARY_ETA, 0.0),
    "quarter dose": (round(ORDINARY_ETA / 4, 2), 0.0),
}
"""(eta, sigma) by name: the nine cells of Table II, and two doses without electronic noise."""


def describe_dose(eta: float) -> str:
    """Return the photons at mid grey, 255 / 2, and the percentage of an ordinary exposure.

    >>> describe_dose(0.4)
    '51 photons at mid grey · 5 % of an ordinary exposure'
    """
    share = 100 * eta / ORDINARY_ETA
    digits = 1 if share < 2 else 0
    return (
        f"{eta * MID_GREY:.0f} photons at mid grey · {share:.{digits}f} % of an ordinary exposure"
    )


def preset_of(eta: float, sigma: float) -> str:
    """Return the name of the preset with these levels, or ""."""
    return next((name for name, levels in PRESETS.items() if levels == (eta, sigma)), "")
