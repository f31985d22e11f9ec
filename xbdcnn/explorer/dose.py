"""Dose in the terms of Eq. 1, and the noise levels that the explorer offers by name."""

from __future__ import annotations

from xbdcnn import paper
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.ordinary_exposure import EFFICIENCY, KERMA, PIXEL, quanta

MID_GREY = GREY_LEVELS / 2

ORDINARY_QUANTA = round(quanta(), -2)
"""Detected photons per pixel of an ordinary exposure, here at mid grey, see `CONVENTION`."""

ORDINARY_ETA = round(ORDINARY_QUANTA / MID_GREY, 2)
"""Photons per grey level of an ordinary exposure in Eq. 1."""

CONVENTION = (
    f"Ordinary exposure: {KERMA} µGy at the detector, about {ORDINARY_QUANTA:.0f} photons per "
    f"pixel of {PIXEL} mm if {EFFICIENCY:.0%} are detected. Here mid grey has them, "
    f"η = {ORDINARY_ETA:.2f}. In Eq. 1 white has the most photons; in a detector it has the "
    "fewest. Notebook 01 assumes the same dose behind the lung, which is darker than mid grey: "
    "there mid grey has fewer photons."
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
