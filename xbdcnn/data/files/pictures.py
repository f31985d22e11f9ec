"""Read and write grey PNG, TIFF and JPEG files without changing their stored values."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.files.formats import (
    check_area,
    decoder_errors,
    format_of,
    read_whole_file,
    refuse_frames,
)
from xbdcnn.data.files.png import png_depth, without_texts

SUPPORTED_BITS = (1, 8, 16, 32, 64)
"""Bits per sample of a TIFF; with 12 of 16 bits the value of white would be ambiguous."""

ORIENTATION_TAG = 274
"""Number of the orientation tag in TIFF and EXIF."""


class Picture(NamedTuple):
    """stored: (H, W) integers or float32; inverted: large values are dark."""

    stored: NDArray
    inverted: bool

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value that may be stored; 0 and 1 for floats within [0, 1]."""
        if not np.issubdtype(self.stored.dtype, np.floating):
            return float(np.iinfo(self.stored.dtype).min), largest_value(self.stored.dtype)
        unit = self.stored.min() >= 0 and self.stored.max() <= 1
        return (0.0, 1.0) if unit else (-np.inf, np.inf)


def largest_value(dtype: np.dtype) -> float:
    """Return the value of full scale: 255, 65535, or 1 for floating point."""
    return 1.0 if np.issubdtype(dtype, np.floating) else float(np.iinfo(dtype).max)


def read_picture(path: Path, any_scale: bool = False) -> Picture:
    """Read a PNG, TIFF or JPEG; RGB and alpha are accepted if the image is grey and opaque.

    any_scale: accept pixels whose white is unknown, because a window is given: floating point out
    of [0, 1], and integers that are signed or have 32 bits.

    Raises:
        XbdcnnError: the file is damaged, has several frames, colour, transparency, NaN, values
            of unknown scale or another pixel type, or is too small or too large.
    """
    with decoder_errors(path):
        if format_of(path) == "tiff":
            return _read_tiff(path, any_scale)
        content = read_whole_file(path)
        try:
            return _read_with_pillow(path, content)
        except ValueError as error:  # Pillow refuses long texts and colour profiles
            if isinstance(error, XbdcnnError) or format_of(path) != "png":
                raise
            return _read_with_pillow(path, without_texts(content))


def _read_with_pillow(path: Path, content: BytesIO) -> Picture:
    from PIL import Image

    try:
        picture = Image.open(content, formats=("PNG", "JPEG"))
    except Image.DecompressionBombError:
        raise XbdcnnError(f"{path}: more pixels than any radiograph; crop or reduce it") from None
    with picture:
        refuse_frames(path, getattr(picture, "n_frames", 1))
        check_area(path, picture.height, picture.width)
        pixels = upright(_samples(path, picture), picture.getexif().get(ORIENTATION_TAG, 1))
        return Picture(_to_grey(path, pixels), inverted=False)


def _samples(path: Path, picture) -> NDArray:
    """Return the pixels of an open PNG or JPEG: (H, W) or (H, W, channels), uint8 or uint16."""
    if picture.mode.startswith("I"):  # 16-bit grey; older versions of Pillow return 32 bits
        return np.asarray(picture).astype(np.uint16)
    if picture.format == "PNG" and png_depth(path) == 16:
        raise XbdcnnError(
            f"{path}: a 16-bit PNG with several channels, which Pillow reads with 8 bits only; "
            "save it as 16-bit grey PNG or TIFF"
        )
    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return np.asarray(picture)
    if picture.mode == "1":
        return np.asarray(picture.convert("L"))
    return np.asarray(picture.convert("RGBA"))


def _read_tiff(path: Path, any_scale: bool) -> Picture:
    import logging

    import tifffile

    # Without its log: every error that it logs is also raised.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    # As OME-TIFF, it could name other files, which would be opened.
    with tifffile.TiffFile(read_whole_file(path), is_ome=False) as tiff:
        refuse_frames(path, len(tiff.pages))
        page = tiff.pages.first
        check_area(path, page.imagelength, page.imagewidth)
        if page.imagedepth > 1 or page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise XbdcnnError(f"{path}: a volume or palette TIFF; save it as a 2-D grey TIFF")
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            name = tifffile.COMPRESSION(page.compression).name
            raise XbdcnnError(
                f"{path}: compressed with {name}; save it uncompressed or "
                "run 'pip install imagecodecs'"
            )
        if page.bitspersample not in SUPPORTED_BITS:
            raise XbdcnnError(
                f"{path}: {page.bitspersample} bits per pixel; save it with 8 or 16 bits"
            )
        _check_tiff_length(path, page)
        # One page may be followed by more pictures, as in a stack of ImageJ.
        refuse_frames(path, sum(series.size for series in tiff.series) // page.size)
        pixels = page.asarray()
        pixels = np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels
        orientation = page.tags[ORIENTATION_TAG].value if ORIENTATION_TAG in page.tags else 1
        grey = _to_grey(path, upright(pixels, orientation), any_scale)
        return Picture(grey, inverted=page.photometric == tifffile.PHOTOMETRIC.MINISWHITE)


def upright(pixels: NDArray, orientation: int) -> NDArray:
    """Rotate and mirror (H, W, ...) as the orientation tag requires; the tag is not written back.

    orientation: 1 to 8, position of the first stored row and column (TIFF 6.0); else unchanged.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _check_tiff_length(path: Path, page) -> None:
    """Raise XbdcnnError if the file ends within its last strip, which tifffile fills with 0."""
    end = max(o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    if end > path.stat().st_size:
        raise XbdcnnError(f"{path}: the file is truncated; copy or download it again")


def _to_grey(path: Path, pixels: NDArray, any_scale: bool = False) -> NDArray:
    """Return (H, W) or (H, W, 1 to 4) samples as (H, W) integers or float32."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise XbdcnnError(f"{path}: shape {pixels.shape} is not one 2-D picture; save one as PNG")
    stored = _to_supported_type(path, pixels, any_scale)
    if stored.ndim == 2:
        return stored
    channels = stored.shape[2]
    if channels in (2, 4) and (stored[..., -1] < largest_value(stored.dtype)).any():
        raise XbdcnnError(f"{path}: partly transparent; flatten it on an opaque background")
    if channels > 2 and (stored[..., :1] != stored[..., 1:3]).any():
        raise XbdcnnError(f"{path}: a colour picture; convert the radiograph to grey first")
    return np.ascontiguousarray(stored[..., 0])


def _to_supported_type(path: Path, pixels: NDArray, any_scale: bool) -> NDArray:
    """Return samples as integers or float32; XbdcnnError if the value of white is unknown."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if np.issubdtype(pixels.dtype, np.floating):
        return _to_float32(path, pixels, any_scale)
    if any_scale and np.issubdtype(pixels.dtype, np.integer) and pixels.itemsize <= 4:
        return pixels
    raise XbdcnnError(
        f"{path}: pixels are {pixels.dtype}; save it with 8 or 16 bits, unsigned, or give "
        "--window BLACK WHITE"
    )


def _to_float32(path: Path, pixels: NDArray, any_scale: bool) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = pixels.astype(np.float32)
    if not np.isfinite(single).all():
        raise XbdcnnError(f"{path}: contains NaN or infinite pixels; replace them first")
    if not any_scale and (pixels.min() < 0 or pixels.max() > 1):
        raise XbdcnnError(
            f"{path}: floating-point pixels from {pixels.min():g} to {pixels.max():g}; "
            "scale them to [0, 1], or give --window BLACK WHITE"
        )
    return single


def write_picture(picture: Picture, target: Path) -> None:
    """Write a grey PNG or TIFF, by the suffix, atomically and without other metadata.

    PNG has neither floating point nor inverted grey values, so floating point is stored with 16
    bits and inverted values are complemented. XbdcnnError if PNG cannot hold the values.
    """
    stored, inverted = picture
    if target.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        photometric = "miniswhite" if inverted else "minisblack"
        with atomic_path(target) as temporary:
            tifffile.imwrite(temporary, stored, photometric=photometric)
        return
    from PIL import Image

    if stored.dtype not in (np.uint8, np.uint16) and picture.limits != (0, 1):
        raise XbdcnnError(f"{target}: a PNG cannot hold {stored.dtype} values; save a TIFF")
    if np.issubdtype(stored.dtype, np.floating):
        stored = np.rint(stored * 65535).astype(np.uint16)
    if inverted:
        stored = np.iinfo(stored.dtype).max - stored
    with atomic_path(target) as temporary:
        Image.fromarray(stored).save(temporary, format="PNG")
