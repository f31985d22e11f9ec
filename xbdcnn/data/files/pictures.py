"""PNG, TIFF and JPEG files: grey numbers in as they are stored, and out again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.files.formats import check_area, content_of, decoding, format_of, refuse_frames

WHOLE_BITS = (1, 8, 16, 32, 64)
"""Of a TIFF; of 12 in 16 nobody could tell afterwards which number is white."""

ORIENTATION = 274
"""Number of the tag in TIFF and EXIF."""


class Picture(NamedTuple):
    """stored: (H, W) uint8, uint16, or float32 in [0, 1]; inverted: large numbers are dark."""

    stored: NDArray
    inverted: bool

    @property
    def top(self) -> float:
        """Largest number that the file can hold."""
        return top_of(self.stored.dtype)


def top_of(dtype: np.dtype) -> float:
    """255, 65535 or, for floating point, 1."""
    return 1.0 if np.issubdtype(dtype, np.floating) else float(np.iinfo(dtype).max)


def read_picture(path: Path) -> Picture:
    """Read a PNG, TIFF or JPEG; RGB and alpha are fine if it is really grey and opaque.

    Raises:
        XbdcnnError: damaged, several frames, coloured, not opaque, NaN or beyond [0, 1], another
            type of pixels, too small or too large.
    """
    with decoding(path):
        return _read_tiff(path) if format_of(path) == "tiff" else _read_with_pillow(path)


def _read_with_pillow(path: Path) -> Picture:
    from PIL import Image

    try:
        picture = Image.open(content_of(path), formats=("PNG", "JPEG"))
    except Image.DecompressionBombError:
        raise XbdcnnError(
            f"{path}: far more pixels than any radiograph has; crop or reduce it"
        ) from None
    with picture:
        refuse_frames(path, getattr(picture, "n_frames", 1))
        check_area(path, picture.height, picture.width)
        pixels = upright(_samples(path, picture), picture.getexif().get(ORIENTATION, 1))
        return Picture(_grey(path, pixels), inverted=False)


def _samples(path: Path, picture) -> NDArray:
    """Pixels of an open PNG or JPEG as (H, W) or (H, W, channels) uint8 or uint16."""
    if picture.mode.startswith("I"):  # 16-bit grey; older Pillow widens it to 32 bits
        return np.asarray(picture).astype(np.uint16)
    if picture.format == "PNG" and _png_depth(path) == 16:
        raise XbdcnnError(
            f"{path}: a 16-bit PNG with several channels, of which Pillow reads 8 bits only; "
            "save it as 16-bit grey PNG or TIFF"
        )
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return np.asarray(picture)
    if picture.mode == "1":
        return np.asarray(picture.convert("L"))
    return np.asarray(picture.convert("RGBA"))


def _png_depth(path: Path) -> int:
    """Bits per channel, from the PNG header."""
    with open(path, "rb") as stream:
        return stream.read(25)[24]


def _read_tiff(path: Path) -> Picture:
    import logging

    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # it logs what it also raises
    with tifffile.TiffFile(content_of(path)) as tiff:
        refuse_frames(path, len(tiff.pages))
        page = tiff.pages[0]
        check_area(path, page.imagelength, page.imagewidth)
        if page.imagedepth > 1 or page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise XbdcnnError(f"{path}: a volume or palette TIFF; save it as a 2-D grey TIFF")
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            raise XbdcnnError(
                f"{path}: compressed with {page.compression.name}; save it uncompressed or "
                "run 'pip install imagecodecs'"
            )
        if page.bitspersample not in WHOLE_BITS:
            raise XbdcnnError(
                f"{path}: {page.bitspersample} bits per pixel; save it with 8 or 16 bits"
            )
        _check_tiff_length(path, page)
        pixels = page.asarray()
        pixels = np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels
        turned = page.tags[ORIENTATION].value if ORIENTATION in page.tags else 1
        grey = _grey(path, upright(pixels, turned))
        return Picture(grey, inverted=page.photometric == tifffile.PHOTOMETRIC.MINISWHITE)


def upright(pixels: NDArray, orientation: int) -> NDArray:
    """Turn and mirror (H, W, ...) as the tag asks that viewers obey, since none is written back.

    orientation: 1 to 8, where the stored first row and column belong (TIFF 6.0); else as stored.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _check_tiff_length(path: Path, page) -> None:
    """Refuse a file that ends before its last strip, which tifffile would fill with zeros."""
    end = max(o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    if end > path.stat().st_size:
        raise XbdcnnError(f"{path}: the file is truncated; copy or download it again")


def _grey(path: Path, pixels: NDArray) -> NDArray:
    """Turn (H, W) or (H, W, 1 to 4) samples into (H, W) uint8, uint16 or float32."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise XbdcnnError(f"{path}: shape {pixels.shape} is not one 2-D picture; save one as PNG")
    stored = _known_type(path, pixels)
    if stored.ndim == 2:
        return stored
    channels = stored.shape[2]
    if channels in (2, 4) and (stored[..., -1] < top_of(stored.dtype)).any():
        raise XbdcnnError(f"{path}: partly transparent; flatten it on an opaque background")
    if channels > 2 and (stored[..., :1] != stored[..., 1:3]).any():
        raise XbdcnnError(f"{path}: a colour picture; convert the radiograph to grey first")
    return np.ascontiguousarray(stored[..., 0])


def _known_type(path: Path, pixels: NDArray) -> NDArray:
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if not np.issubdtype(pixels.dtype, np.floating):
        raise XbdcnnError(f"{path}: pixels are {pixels.dtype}; save it with 8 or 16 bits, unsigned")
    if not np.isfinite(pixels).all():
        raise XbdcnnError(f"{path}: contains NaN or infinite pixels; replace them first")
    if pixels.min() < 0 or pixels.max() > 1:
        raise XbdcnnError(
            f"{path}: floating-point pixels from {pixels.min():g} to {pixels.max():g}; "
            "scale them to [0, 1] first"
        )
    return pixels.astype(np.float32)


def write_picture(picture: Picture, target: Path) -> None:
    """Write a grey PNG or TIFF, by the suffix, atomically and without any other metadata.

    A PNG holds no floating point and no inverted greys, so it takes 16 bits and turns them over.
    """
    stored, inverted = picture
    if target.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        photometric = "miniswhite" if inverted else "minisblack"
        with atomic_path(target) as temporary:
            tifffile.imwrite(temporary, stored, photometric=photometric)
        return
    from PIL import Image

    if np.issubdtype(stored.dtype, np.floating):
        stored = np.rint(stored * 65535).astype(np.uint16)
    if inverted:
        stored = np.iinfo(stored.dtype).max - stored
    with atomic_path(target) as temporary:
        Image.fromarray(stored).save(temporary, format="PNG")
