"""Between the numbers of a file and the [0, 1] that a network sees: one affine window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError


@dataclass(frozen=True)
class Window:
    """Two stored values that a network sees as black, 0, and white, 1; affine in between.

    Black is the larger one where large numbers are dark (MONOCHROME1). Nothing is lost outside:
    a network sees such a pixel as black or white, but `restore` adds what the network changed to
    the stored number itself.
    """

    black: float
    white: float
    origin: str
    """Where the two values come from, for the log."""

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            span = np.float32(self.white - self.black)
        if not np.isfinite([self.black, self.white, span]).all() or span == 0:
            raise XbdcnnError(
                f"a window from {self.black:g} to {self.white:g} shows nothing; give two different "
                "stored values with --window BLACK WHITE"
            )

    def __str__(self) -> str:
        return f"stored {self.black:g} is black, {self.white:g} white ({self.origin})"

    def to_unit(self, stored: NDArray) -> NDArray[np.float32]:
        """f = clip((s - black) / (white - black), 0, 1): what a network, or an eye, sees.

        stored: (H, W), integers or floating point. Returns (H, W) float32 in [0, 1].
        """
        unit = stored.astype(np.float32)
        unit -= np.float32(self.black)
        with np.errstate(over="ignore"):  # infinitely white is white
            unit /= np.float32(self.white - self.black)
        return unit.clip(0.0, 1.0, out=unit)

    def outside(self, stored: NDArray) -> float:
        """Share of the pixels, 0 to 1, that are darker than black or whiter than white."""
        low, high = sorted((self.black, self.white))
        return float(((stored < low) | (stored > high)).mean())

    def restore(
        self, stored: NDArray, restored: NDArray[np.float32], limits: tuple[float, float]
    ) -> NDArray:
        """s' = s + (g_hat - f) (white - black), rounded if s is: the residual in stored units.

        Exact where the network changes nothing: then s' = s, bit for bit, in the window or out
        of it. Continuous at the window's edges, where noise straddles them.

        Args:
            stored: (H, W) s.
            restored: (H, W) in [0, 1], g_hat of a network that was shown `to_unit(stored)`.
            limits: the smallest and the largest number that the file can hold.

        Returns:
            (H, W) of stored's dtype.
        """
        change = (restored - self.to_unit(stored)) * np.float32(self.white - self.black)
        if not np.issubdtype(stored.dtype, np.floating):
            change = np.rint(change)  # float32 holds every sum of 16-bit integers exactly
        return (stored + change).clip(*limits).astype(stored.dtype)
