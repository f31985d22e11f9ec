"""The assumed exposure of an ordinary chest radiograph, with which doses are compared."""

from __future__ import annotations

from xbdcnn.detector import air_kerma

KERMA = 2.5
"""Air kerma in microgray at the detector, that of speed class 400."""

PIXEL = 0.143
"""Side of a detector pixel in mm."""

EFFICIENCY = 0.65
"""Share of the photons detected: the detective quantum efficiency at low frequency."""


def quanta() -> float:
    """Detected photons per pixel of `PIXEL` at `KERMA`.

    >>> round(quanta())
    1003
    """
    return KERMA / air_kerma(1.0, PIXEL, EFFICIENCY)
