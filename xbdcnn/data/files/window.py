"""The affine window between the stored values of a file and the [0, 1] of the networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError


@dataclass(frozen=True)
class Window:
    """Two stored values that map to 0 (black) and 1 (white), affine in between.

    `black` is the larger one where large values are dark (MONOCHROME1). Values outside the window
    are not lost: the network gets them as 0 or 1, and `restore` adds its change to the stored
    value itself.
    """

    black: float
    white: float
    origin: str
    """Where the two values come from, for messages."""

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            span = float(np.float32(self.white - self.black))
        if not np.isfinite([self.black, self.white, span]).all() or span == 0:
            raise XbdcnnError(
                f"the window from {self.black:g} to {self.white:g} is empty; give two different "
                "stored values with --window BLACK WHITE"
            )

    def __str__(self) -> str:
        return f"stored {self.black:g} is black, {self.white:g} white ({self.origin})"

    def noted(self, notes: Iterable[str]) -> Window:
        """Return the same window; its origin adds what was corrected in the file."""
        return replace(self, origin="; ".join((self.origin, *notes)))

    def to_unit(self, stored: NDArray) -> NDArray[np.float32]:
        """f = clip((s - black) / (white - black), 0, 1), the input of the network.

        stored: (H, W), integers or floating point. Returns (H, W) float32 in [0, 1].
        """
        unit = stored.astype(np.float32)
        unit -= np.float32(self.black)
        with np.errstate(over="ignore"):  # an overflow to infinity is clipped to 1
            unit /= np.float32(self.white - self.black)
        return unit.clip(0.0, 1.0, out=unit)

    def outside(self, stored: NDArray) -> float:
        """Return the fraction of pixels, 0 to 1, darker than black or brighter than white."""
        low, high = sorted((self.black, self.white))
        return float(((stored < low) | (stored > high)).mean())

    def restore(
        self, stored: NDArray, restored: NDArray[np.float32], limits: tuple[float, float]
    ) -> NDArray:
        """s' = s + (g_hat - f) (white - black), rounded for integers: the change in stored units.

        Where the network changes nothing, s' = s bit for bit, inside and outside the window; s' is
        continuous at both limits of the window.

        Args:
            stored: (H, W) s.
            restored: (H, W) in [0, 1], the output g_hat of the network for `to_unit(stored)`.
            limits: smallest and largest value that the file can store.

        Returns:
            (H, W) in the dtype of `stored`.
        """
        change = (restored - self.to_unit(stored)) * np.float32(self.white - self.black)
        if not np.issubdtype(stored.dtype, np.floating):
            change = np.rint(change)  # float32 holds every sum of 16-bit integers exactly
        return (stored + change).clip(*limits).astype(stored.dtype)
