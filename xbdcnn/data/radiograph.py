"""Reading radiographs: PNG, TIFF, JPEG and DICOM files.

Whatever the file, the result is one thing: float32, (H, W), in [0, 1], 1 = white, as a
radiologist sees it (bone white).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn.errors import XbdcnnError

if TYPE_CHECKING:
    from pydicom import Dataset

SMALLEST_SIDE = 16
"""Pixels; the networks accept nothing smaller."""

_LARGEST_AREA = 2**26  # 8192 x 8192 pixels: larger than any detector, small enough for memory
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def load_radiograph(path: str | Path) -> NDArray[np.float32]:
    """Read one radiograph from a PNG, TIFF, JPEG or DICOM file; the content decides, not the name.

    Integers are divided by their type's full range (255 or 65535); a floating-point TIFF must
    be in [0, 1] already. RGB and alpha are accepted where the picture is really grey and opaque.

    DICOM (CR, DX): the modality LUT or rescale, then the VOI LUT or the first window are applied
    (DICOM PS3.3 C.11.1-2), and that window's output range becomes [0, 1]. Without either, the
    smallest and largest stored value become 0 and 1. MONOCHROME1 is inverted at the end.

    Returns:
        (H, W) float32 in [0, 1], 1 = white, H and W >= 16.

    Raises:
        XbdcnnError: one line that names the file and the remedy: missing, empty, truncated or
            damaged, not a radiograph, several frames, coloured, not opaque, NaN or out of
            range, too small, or too large (more than 8192 x 8192 pixels).
    """
    path = Path(path)
    if not path.is_file():
        raise XbdcnnError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise XbdcnnError(f"{path}: the file is empty; copy or download it again")
    reader = _reader_of(path)
    try:
        # Decoders warn about trifles in the header; whatever matters is raised.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = reader(path)
    except XbdcnnError:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise XbdcnnError(
            f"{path}: cannot be decoded ({reason}); the file is damaged or in a variant that is "
            "not supported, save it again as 8- or 16-bit grey PNG"
        ) from error
    if min(image.shape) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"{path}: {image.shape[0]} x {image.shape[1]} pixels; a radiograph needs at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )
    return image


def _reader_of(path: Path):
    with open(path, "rb") as stream:
        head = stream.read(132)
    if head[128:] == b"DICM":
        return _read_dicom
    return _read_tiff if head[:4] in _TIFF_MAGIC else _read_picture


def _check_area(path: Path, height: int, width: int) -> None:
    if height * width > _LARGEST_AREA:
        raise XbdcnnError(
            f"{path}: {height} x {width} pixels is larger than any radiograph; crop or reduce it"
        )


def _refuse_frames(path: Path, frames: int) -> None:
    if frames > 1:
        raise XbdcnnError(f"{path}: holds {frames} frames; save the wanted one as its own file")


def _read_picture(path: Path) -> NDArray[np.float32]:
    """PNG or JPEG through Pillow."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(path, formats=("PNG", "JPEG"))
    except UnidentifiedImageError:
        raise XbdcnnError(
            f"{path}: not a PNG, TIFF, JPEG or DICOM file; export the radiograph as one of these"
        ) from None
    except Image.DecompressionBombError:
        raise XbdcnnError(
            f"{path}: far more pixels than any radiograph has; crop or reduce it"
        ) from None
    with picture:
        _refuse_frames(path, getattr(picture, "n_frames", 1))
        _check_area(path, picture.height, picture.width)
        return _grey(path, _samples(path, picture))


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


def _read_tiff(path: Path) -> NDArray[np.float32]:
    import logging

    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it also raises
    with tifffile.TiffFile(path) as tiff:
        _refuse_frames(path, len(tiff.pages))
        page = tiff.pages[0]
        _check_area(path, page.imagelength, page.imagewidth)
        if page.imagedepth > 1 or page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            raise XbdcnnError(f"{path}: a volume or palette TIFF; save it as a 2-D grey TIFF")
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            raise XbdcnnError(
                f"{path}: compressed with {page.compression.name}; save it uncompressed or "
                "run 'pip install imagecodecs'"
            )
        _check_tiff_length(path, page)
        pixels = page.asarray()
        grey = _grey(path, np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels)
        return 1 - grey if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE else grey


def _check_tiff_length(path: Path, page) -> None:
    """Refuse a file that ends before its last strip, which tifffile would fill with zeros."""
    end = max(o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
    if end > path.stat().st_size:
        raise XbdcnnError(f"{path}: the file is truncated; copy or download it again")


def _grey(path: Path, pixels: NDArray) -> NDArray[np.float32]:
    """Turn (H, W) or (H, W, 1 to 4) samples into (H, W) float32 in [0, 1]."""
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise XbdcnnError(f"{path}: shape {pixels.shape} is not one 2-D picture; save one as PNG")
    unit = _unit_range(path, pixels)
    if unit.ndim == 2:
        return unit
    channels = unit.shape[2]
    if channels in (2, 4) and (unit[..., -1] < 1).any():
        raise XbdcnnError(f"{path}: partly transparent; flatten it on an opaque background")
    if channels > 2 and (unit[..., :1] != unit[..., 1:3]).any():
        raise XbdcnnError(f"{path}: a colour picture; convert the radiograph to grey first")
    return np.ascontiguousarray(unit[..., 0])


def _unit_range(path: Path, pixels: NDArray) -> NDArray[np.float32]:
    if pixels.dtype == bool:
        return pixels.astype(np.float32)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
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


def _read_dicom(path: Path) -> NDArray[np.float32]:
    import pydicom

    header = pydicom.dcmread(path)
    if "PixelData" not in header:
        raise XbdcnnError(f"{path}: a DICOM file without pixel data; choose the image object")
    _refuse_frames(path, int(header.get("NumberOfFrames") or 1))
    kind = header.get("PhotometricInterpretation", "")
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise XbdcnnError(f"{path}: a {kind or 'colour'} DICOM; a radiograph is MONOCHROME1 or 2")
    _check_area(path, header.Rows, header.Columns)
    unit = _displayed(path, header)
    return (1 - unit if kind == "MONOCHROME1" else unit).astype(np.float32)


def _displayed(path: Path, header: Dataset) -> NDArray[np.floating]:
    """Apply the modality and VOI transforms; the display's darkest and brightest become 0, 1."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(header.pixel_array, header)
    if header.get("VOILUTSequence"):
        low, high = 0, 2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1
    elif header.get("WindowWidth") and header.get("WindowCenter") is not None:
        low, high = _window_range(header)
    else:
        low, high = values.min(), values.max()
    if low == high:
        raise XbdcnnError(f"{path}: every pixel is equal and no window is given; nothing to show")
    return ((apply_voi_lut(values, header).astype(np.float64) - low) / (high - low)).clip(0, 1)


def _window_range(header: Dataset) -> NDArray[np.floating]:
    """What the window makes of values far below and far above it: its output range."""
    from pydicom.multival import MultiValue
    from pydicom.pixels import apply_windowing

    centre, width = (
        float(value[0] if isinstance(value, MultiValue) else value)
        for value in (header.WindowCenter, header.WindowWidth)
    )
    return apply_windowing(np.array([centre - 50 * width, centre + 50 * width]), header)
