"""Decode the pixels of a DICOM image, in any transfer syntax with an installed decoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_jpeg import mend_jpeg
from xbdcnn.data.files.dicom_mend import show_full_range
from xbdcnn.data.files.dicom_sign import mend_sign
from xbdcnn.data.files.dicom_values import dicom_stage, named

if TYPE_CHECKING:
    from pydicom import Dataset

DECOMPRESS = "or decompress it with a DICOM tool, such as gdcmconv --raw"

COLOUR_ATTRIBUTES = (
    "PlanarConfiguration",
    "ICCProfile",
    "ColorSpace",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
"""Attributes that a grey image has not, or that do not apply to colour."""


def decode_pixels(path: Path, header: Dataset) -> tuple[NDArray, list[str]]:
    """Decode the pixel data of a header, which describes the result afterwards.

    Returns:
        The stored values (H, W): uint8, uint16, int8 or int16, and what was corrected.

    Raises:
        XbdcnnError: no decoder is installed, the data are damaged or too short, or coloured.
    """
    from pydicom.pixels import pixel_array

    _require_decoder(path, header)
    with dicom_stage(path, *_failure(header)):
        notes = mend_jpeg(header)
        stored = np.asarray(pixel_array(header))
        if stored.shape[:2] != (header.Rows, header.Columns) or stored.dtype.kind not in "iu":
            raise XbdcnnError(
                f"{path}: {named('PixelData')} does not match Rows and Columns; export it again"
            )
        if stored.ndim == 3:
            return _grey(path, header, stored), [*notes, "three equal channels read as grey"]
        stored, signs = mend_sign(path, header, stored)
        return stored, notes + signs


def _failure(header: Dataset) -> tuple[str, str]:
    """Return what to say where decoding fails: stage and remedy."""
    from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

    data, syntax = named("PixelData"), header.file_meta.TransferSyntaxUID
    if not syntax.is_compressed:
        return f"{data} cannot be decoded", "the file is damaged, copy or export it again"
    extra = ""
    if syntax in (JPEGBaseline8Bit, JPEGExtended12Bit):
        extra = ", or run pip install 'xbdcnn[jpeg]' for 12 bits"
    return (
        f"{data}, compressed with {syntax.name}, cannot be decoded",
        f"copy the file again, {DECOMPRESS}{extra}",
    )


def _require_decoder(path: Path, header: Dataset) -> None:
    """Raise XbdcnnError unless pydicom can decode the transfer syntax with what is installed."""
    from pydicom.pixels import get_decoder

    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax and not syntax.is_compressed:
        return
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = None
    if not available:
        codec = f"{syntax.name}, for which no decoder is installed"
        raise XbdcnnError(
            f"{path}: compressed with {'an unsupported codec' if available is None else codec}; "
            "run pip install 'xbdcnn[jpeg]' for JPEG Lossless, or decompress it with a DICOM tool"
        )


def _grey(path: Path, header: Dataset, stored: NDArray) -> NDArray:
    """Return the one channel (H, W) of three equal ones, and describe it in the header."""
    if (stored[..., :1] != stored[..., 1:]).any():
        raise XbdcnnError(
            f"{path}: a colour image, see {named('PhotometricInterpretation')}; convert the "
            "radiograph to grey first"
        )
    header.PhotometricInterpretation, header.SamplesPerPixel = "MONOCHROME2", 1
    for name in COLOUR_ATTRIBUTES:
        if name in header:
            delattr(header, name)
    show_full_range(header)
    return np.ascontiguousarray(stored[..., 0])
