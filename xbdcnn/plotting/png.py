"""Small PNG files of figures: few grey levels where a picture of noise would be large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from xbdcnn._common.files import atomic_path

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


def write_panels(
    panels: Mapping[str, tuple[AxesImage, str]], stem: Path, text: Mapping[str, str]
) -> list[Path]:
    """Write the pictures of a figure to `stem`_<name>.png at their pixels; return the paths.

    panels: picture and label by name; the label becomes the "Description" among the text fields.
    """
    paths = []
    for name, (picture, label) in panels.items():
        info = PngInfo()
        for key, value in {**text, "Description": label}.items():
            info.add_itxt(key, value)
        rgb = np.asarray(picture.to_rgba(np.asarray(picture.get_array()), bytes=True))[..., :3]
        paths.append(stem.with_name(f"{stem.name}_{name}.png"))
        with atomic_path(paths[-1]) as temporary:
            temporary.write_bytes(_encode(_with_palette(rgb, 128), info))
    return paths


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
