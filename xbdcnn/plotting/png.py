"""Small PNG files of figures: few grey levels where a picture of noise would be large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PNG_LIMIT = 400_000
"""Upper limit in bytes of a saved PNG; pictures of noise, which does not compress, exceed it."""

DISPLAY_LIMIT = 200_000
"""The same for a figure displayed in a notebook, which holds several."""


def compress_png(
    png: bytes, limit: int, text: Mapping[str, str], greys: Sequence[int] = (128, 64)
) -> bytes:
    """Re-encode a PNG with text fields; with fewer and fewer greys if larger than `limit`."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    info = PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    data = _encode(picture, info)
    for count in greys:
        if len(data) <= limit:
            break
        data = _encode(_with_palette(np.asarray(picture), count), info)
    return data


def _encode(picture: Image.Image, info: PngInfo) -> bytes:
    stream = BytesIO()
    picture.save(stream, format="png", optimize=True, pnginfo=info)
    return stream.getvalue()


def _with_palette(rgb: NDArray[np.uint8], greys: int) -> Image.Image:
    """Palette image of (H, W, 3): `greys` even steps for grey pixels, 128 entries for colours."""
    colourful = np.ptp(rgb, axis=2) > 6
    indices = np.rint(rgb[..., 1] * ((greys - 1) / 255)).astype(np.uint8)
    palette = np.repeat(np.linspace(0, 255, greys).round().astype(np.uint8), 3).tolist()
    if colourful.any():
        colours = Image.fromarray(rgb[colourful][None]).quantize(128, dither=Image.Dither.NONE)
        indices[colourful] = greys + np.asarray(colours)[0]
        palette += colours.getpalette() or []  # never None after `quantize`
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette(palette[:768])
    return picture
