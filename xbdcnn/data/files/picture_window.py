"""The affine window of a PNG, TIFF or JPEG, whose header does not state the value of white."""

from __future__ import annotations

import numpy as np

from xbdcnn._common.depth import plausible_depth, used_depth
from xbdcnn.data.files.pictures import Picture, largest_value
from xbdcnn.data.files.window import Window


def default_window(picture: Picture) -> Window:
    """Return the full range of the pixel type, or of the bits that a 16-bit picture surely uses.

    For the rule see `used_depth`. If a depth is only plausible, the full range is kept, and the
    window's origin names the option that chooses this depth. Each picture is judged by itself: give
    a window if several must have one scale.
    """
    if picture.stored.dtype == np.uint16:
        return _window_of_16_bits(picture)
    white = largest_value(picture.stored.dtype)
    return Window(*_dark_first(white, picture.inverted), "the full range")


def _window_of_16_bits(picture: Picture) -> Window:
    bits, origin = used_depth(picture.stored), "the full range"
    if bits < 16:
        origin = f"{bits} of 16 bits, as no pixel exceeds {picture.stored.max()}"
    elif (plausible := plausible_depth(picture.stored)) < 16:
        black, white = _dark_first(2**plausible - 1, picture.inverted)
        option = f"--window {black:g} {white:g}"
        origin = f"the full range; if only {plausible} bits are used, give {option}"
    return Window(*_dark_first(2**bits - 1, picture.inverted), origin)


def _dark_first(white: float, inverted: bool) -> tuple[float, float]:
    """Return black and white, whose stored values are exchanged where large values are dark."""
    return (white, 0.0) if inverted else (0.0, white)
