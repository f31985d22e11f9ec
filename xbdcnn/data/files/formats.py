"""Shared by all readers: recognition of formats by content, size limits, error conversion."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError

Format = Literal["png", "jpeg", "tiff", "dicom"]

LARGEST_AREA = 2**26
"""Pixels; 8192 x 8192 exceeds every detector and still fits into memory."""

LARGEST_FILE = 2**29
"""Bytes; 8192 x 8192 pixels of 16 bits take a quarter of this."""

AS_PICTURE = (
    "the file is damaged or in a variant that is not supported, save it again as 8- or 16-bit "
    "grey PNG"
)
"""Cause and remedy where a decoder of pictures fails."""

PROGRAMMING_ERRORS = (LookupError, AttributeError, TypeError, AssertionError, struct.error)
"""Exceptions whose text means nothing to the owner of a file."""

_MAGIC: dict[bytes, Format] = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff"),
}


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its first bytes, or None if it is not supported."""
    with open(path, "rb") as stream:
        head = stream.read(132)
    if head[128:] == b"DICM":  # the 128 bytes before it are arbitrary, possibly a TIFF header
        return "dicom"
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def require_format(path: Path) -> Format:
    """Return the format of a readable file; raise XbdcnnError if there is none."""
    if path.is_dir():
        raise XbdcnnError(f"{path}: a folder, not a file; name a file or check its permissions")
    if not path.is_file():
        raise XbdcnnError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise XbdcnnError(f"{path}: the file is empty; copy or download it again")
    if (found := format_of(path)) is None:
        if _is_dicom_without_preamble(path):
            raise XbdcnnError(
                f"{path}: a DICOM file without the preamble of 128 bytes and 'DICM'; add it with a "
                "DICOM tool, such as dcmconv of DCMTK"
            )
        raise XbdcnnError(
            f"{path}: not a PNG, TIFF, JPEG or DICOM file; export the radiograph as one of these"
        )
    return found


def _is_dicom_without_preamble(path: Path) -> bool:
    """Tell whether a file begins with 'DICM' or an element of the first groups of a DICOM file."""
    with open(path, "rb") as stream:
        head = stream.read(8)
    explicit = head[4:6].isalpha() and head[4:6].isupper()  # the value representation
    implicit = head[6:8] == b"\0\0"  # a length below 65536
    little = head[:2] in (b"\x02\0", b"\x08\0") and (explicit or implicit)
    return head[:4] == b"DICM" or little or (head[:2] == b"\0\x08" and explicit)


def read_whole_file(path: Path) -> BytesIO:
    """Read a whole file, so that a wrong length in it cannot make a decoder allocate more."""
    if path.stat().st_size > LARGEST_FILE:
        raise XbdcnnError(f"{path}: larger than any radiograph; export the single image")
    return BytesIO(path.read_bytes())


@contextmanager
def decoder_errors(
    path: Path, failure: str = "cannot be decoded", remedy: str = AS_PICTURE, quote: bool = True
) -> Iterator[None]:
    """Convert every exception of one stage into one XbdcnnError that names the file.

    failure: the stage and what it could not do. quote: include the decoder's message, which may
    quote the file.
    """
    try:
        # Decoders warn about minor defects of the header; serious ones are raised.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (XbdcnnError, OSError) as error:
        if isinstance(error, XbdcnnError) or error.errno is not None:
            raise
        raise XbdcnnError(f"{path}: {failure}{_reason(error, quote)}; {remedy}") from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise XbdcnnError(f"{path}: {failure}{_reason(error, quote)}; {remedy}") from error


def _reason(error: Exception, quote: bool) -> str:
    """Return the decoder's message in brackets, or nothing where it explains nothing."""
    text = " ".join(str(error).split())
    return f" ({text})" if text and quote and not isinstance(error, PROGRAMMING_ERRORS) else ""


def check_area(path: Path, height: int, width: int) -> None:
    """Raise XbdcnnError unless the size, known before decoding, is that of a radiograph."""
    if not (
        isinstance(height, int) and isinstance(width, int)
    ):  # a damaged header may hold any type
        raise XbdcnnError(
            f"{path}: its size is not two numbers; the file is damaged, copy it again"
        )
    if height * width > LARGEST_AREA:
        raise XbdcnnError(
            f"{path}: {height} x {width} pixels is larger than any radiograph; crop or reduce it"
        )
    if min(height, width) < SMALLEST_SIDE:
        raise XbdcnnError(
            f"{path}: {height} x {width} pixels; use an image of at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )


def refuse_frames(path: Path, frames: int) -> None:
    """Raise XbdcnnError if a file holds more than one frame or page."""
    if frames > 1:
        raise XbdcnnError(
            f"{path}: holds {frames} frames, but only single images are restored; save the wanted "
            "one as its own file"
        )
