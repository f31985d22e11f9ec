"""Read single-frame grey DICOM images.

No message of this module quotes a header value, which may identify the patient; messages name
attributes only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.formats import (
    check_area,
    decoder_errors,
    read_whole_file,
    refuse_frames,
)

if TYPE_CHECKING:
    from pydicom import Dataset


def read_dicom(path: Path) -> tuple[Dataset, NDArray]:
    """Read a grey DICOM image of 8 to 16 bits in any transfer syntax with an installed decoder.

    Returns:
        The header without its pixel data, and the stored values (H, W): uint8, uint16, int8 or
        int16, before any rescale or window.

    Raises:
        XbdcnnError: the file is damaged, has no pixel data, several frames, colour or another bit
            depth, has no installed decoder, or the image is too small or too large.
    """
    import pydicom
    from pydicom.pixels import pixel_array

    with hiding_header_values(path):
        header = pydicom.dcmread(_read_not_deflated(path))
        _require_supported_pixels(path, header)
        stored = np.asarray(pixel_array(header))
        if stored.shape != (header.Rows, header.Columns) or stored.dtype.kind not in "iu":
            raise XbdcnnError(
                f"{path}: the pixel data do not match Rows and Columns; export it again"
            )
        del header.PixelData
        return header, stored


@contextmanager
def hiding_header_values(path: Path) -> Iterator[None]:
    """Keep header values, which may identify the patient, out of errors and warnings."""
    from pydicom.config import disable_value_validation

    with decoder_errors(path, quote=False), disable_value_validation():
        yield


def _read_not_deflated(path: Path) -> BytesIO:
    """Read a file; refuse a deflated one, whose inflated size is not known before decoding."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream = read_whole_file(path)
    if DeflatedExplicitVRLittleEndian.encode() in stream.getvalue():
        raise XbdcnnError(f"{path}: a deflated DICOM file; inflate it with a DICOM tool first")
    return stream


def _require_supported_pixels(path: Path, header: Dataset) -> None:
    """Raise XbdcnnError unless the header describes one grey frame that can be decoded."""
    if "PixelData" not in header:
        raise XbdcnnError(
            f"{path}: a DICOM file without pixel data; choose the image object, or copy the "
            "file again if it is truncated"
        )
    refuse_frames(path, int(header.get("NumberOfFrames") or 1))
    if header.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise XbdcnnError(
            f"{path}: a colour DICOM, such as RGB or a palette; a radiograph is MONOCHROME1 or 2"
        )
    check_area(path, header.Rows, header.Columns)
    if header.get("SamplesPerPixel") != 1 or header.get("PixelRepresentation") not in (0, 1):
        raise XbdcnnError(
            f"{path}: invalid SamplesPerPixel or PixelRepresentation; export it again"
        )
    _require_depth(path, header)
    _require_decoder(path, header)


def _require_depth(path: Path, header: Dataset) -> None:
    allocated, stored = header.get("BitsAllocated"), header.get("BitsStored")
    if allocated not in (8, 16) or not 8 <= (stored or 0) <= allocated:
        raise XbdcnnError(f"{path}: BitsAllocated or BitsStored is not 8 to 16; export it again")
    if header.get("HighBit") != stored - 1 or _has_overlay_bits(header):
        raise XbdcnnError(
            f"{path}: the unused bits of its pixels hold an overlay or are not the highest ones, "
            "which a derived object cannot keep; convert it with a DICOM tool first"
        )


def _has_overlay_bits(header: Dataset) -> bool:
    """Tell whether an overlay plane (group 60xx) is stored within the pixel data."""
    positions = (header.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(element is not None and element.value for element in positions)


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
