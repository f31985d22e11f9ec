"""What the readers of all image formats share: recognition by content, limits, one error type."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError

Format = Literal["png", "jpeg", "tiff", "dicom"]

LARGEST_AREA = 2**26
"""Pixels: 8192 x 8192 is larger than any detector and small enough for memory."""

LARGEST_FILE = 2**29
"""Bytes; 8192 x 8192 pixels of 16 bits take a quarter of it."""

_MAGIC: dict[bytes, Format] = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff"),
}


def format_of(path: Path) -> Format | None:
    """Recognise a file by its first bytes; None if it is no radiograph's format."""
    with open(path, "rb") as stream:
        head = stream.read(132)
    if head[128:] == b"DICM":  # the 128 bytes before it may be anything, even a TIFF header
        return "dicom"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def require_format(path: Path) -> Format:
    """Return the format of a file that is to be read, or raise XbdcnnError that says why not."""
    if path.is_dir():
        raise XbdcnnError(f"{path}: a folder, not a file; name a file or check its permissions")
    if not path.is_file():
        raise XbdcnnError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise XbdcnnError(f"{path}: the file is empty; copy or download it again")
    if (found := format_of(path)) is None:
        raise XbdcnnError(
            f"{path}: not a PNG, TIFF, JPEG or DICOM file; export the radiograph as one of these"
        )
    return found


def content_of(path: Path) -> BytesIO:
    """Read a file as a whole; no false length in it can then ask a decoder for more memory."""
    if path.stat().st_size > LARGEST_FILE:
        raise XbdcnnError(f"{path}: larger than any radiograph; choose the single image")
    return BytesIO(path.read_bytes())


@contextmanager
def decoding(path: Path, quote: bool = True) -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged file into one XbdcnnError that names it.

    quote: repeat the decoder's own words. They may be words of the file.
    """
    try:
        # Decoders warn about trifles in the header; whatever matters is raised.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (XbdcnnError, OSError) as error:
        if isinstance(error, XbdcnnError) or error.errno is not None:
            raise
        raise _damaged(path, error, quote) from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise _damaged(path, error, quote) from error


def _damaged(path: Path, error: Exception, quote: bool) -> XbdcnnError:
    reason = " ".join(str(error).split()) if quote else ""
    return XbdcnnError(
        f"{path}: cannot be decoded ({reason or type(error).__name__}); the file is damaged or in "
        "a variant that is not supported, save it again as 8- or 16-bit grey PNG"
    )


def check_area(path: Path, height: int, width: int) -> None:
    """Raise XbdcnnError unless the picture's size is that of a radiograph, before it is decoded."""
    if not (isinstance(height, int) and isinstance(width, int)):  # a header may say anything
        raise XbdcnnError(f"{path}: its size is not two numbers; the file is damaged, copy it anew")
    if height * width > LARGEST_AREA:
        raise XbdcnnError(
            f"{path}: {height} x {width} pixels is larger than any radiograph; crop or reduce it"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"{path}: {height} x {width} pixels; a radiograph needs at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )


def refuse_frames(path: Path, frames: int) -> None:
    """Raise XbdcnnError if a file holds more than one picture."""
    if frames > 1:
        raise XbdcnnError(f"{path}: holds {frames} frames; save the wanted one as its own file")
