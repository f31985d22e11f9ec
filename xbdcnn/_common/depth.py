"""The number of bits that 16-bit values use: detectors of 10, 12 or 14 bits are stored in 16."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CERTAIN_DEPTH = 12
"""Largest depth that is taken from the largest value: on the scale of 16 bits, a picture without
any larger value is black everywhere, below one sixteenth of white."""

PLAUSIBLE_DEPTHS = (8, 10, 12, 14)
"""Depths of detectors."""

STRAY_SHARE = 0.001
"""Largest share of pixels, as those of a burnt-in mark, that may exceed a plausible depth."""


def used_depth(stored: NDArray[np.uint16]) -> int:
    """Return the bits that surely hold all values, 8 to 16; 16 in case of doubt.

    They are known if the largest value is the largest one of these bits, 2^bits - 1, or takes at
    most `CERTAIN_DEPTH` bits; depths of detectors are even.
    """
    largest = int(stored.max())
    bits = max(largest.bit_length(), PLAUSIBLE_DEPTHS[0])
    if largest == 2**bits - 1:
        return bits
    return bits + bits % 2 if bits <= CERTAIN_DEPTH else 16


def plausible_depth(stored: NDArray[np.uint16]) -> int:
    """Return the smallest depth of a detector that holds nearly all values; 16 if there is none."""
    for bits in PLAUSIBLE_DEPTHS:
        if np.count_nonzero(stored >= 2**bits) < STRAY_SHARE * stored.size:
            return bits
    return 16
