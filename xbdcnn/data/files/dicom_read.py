"""Read single-frame grey DICOM images.

No message quotes a header value, which may identify the patient; messages name attributes only.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_mend import mend_header, mend_padding
from xbdcnn.data.files.dicom_pixels import decode_pixels
from xbdcnn.data.files.dicom_values import (
    CORRECT,
    code_string,
    dicom_stage,
    named,
    required_number,
    whole_number,
)
from xbdcnn.data.files.dicom_window import mend_window
from xbdcnn.data.files.formats import LARGEST_FILE, check_area, read_whole_file, refuse_frames

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileDataset

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Colour spaces in which three equal channels are a grey image."""

PIXEL_GROUP, AFTER_THE_PIXELS = 0x7FE0, (0xFFFA, 0xFFFC)
"""Group of the pixels, and the even groups that may follow: signatures and padding (PS3.6)."""


class DicomImage(NamedTuple):
    """header: without pixel data; stored: (H, W); notes: what was corrected, without values."""

    header: Dataset
    stored: NDArray
    notes: tuple[str, ...]


def read_dicom(path: Path) -> DicomImage:
    """Read a grey DICOM image of 8 to 16 bits in any transfer syntax with an installed decoder.

    Colour images with three equal channels are read as MONOCHROME2. Faults of the header whose
    correction is certain are corrected in the returned header and noted.

    Returns:
        The header without its pixel data, the stored values (H, W): uint8, uint16, int8 or int16,
        before any rescale or window, and the corrections.

    Raises:
        XbdcnnError: the file is damaged, has no pixel data, several frames, colour or another bit
            depth, has no installed decoder, or the image is too small or too large.
    """
    with dicom_stage(
        path, "its DICOM header cannot be decoded", "the file is damaged, copy or export it again"
    ):
        header, notes = _parse(path)
        notes += mend_header(path, header)
    with dicom_stage(path, "its image attributes, group 0028, cannot be read", CORRECT):
        _require_supported_pixels(path, header)
        notes += [*mend_padding(path, header), *mend_window(path, header)]
    stored, decoding = decode_pixels(path, header)
    del header.PixelData
    return DicomImage(header, stored, (*notes, *decoding))


def _parse(path: Path) -> tuple[FileDataset, list[str]]:
    """Parse a file up to the end of its data set; note what was left away behind it."""
    from pydicom.filereader import read_partial

    end = _EndOfDataSet()
    header = read_partial(_inflated(path, read_whole_file(path)), stop_when=end)
    return header, ["bytes after the end of the data set left away"] if end.reached else []


class _EndOfDataSet:
    """Tells the parser to stop behind the pixels, at bytes that cannot be a further element.

    Elements are in ascending order, so that zeros or text after the end are recognised.
    """

    def __init__(self) -> None:
        self.after_pixels = self.reached = False

    def __call__(self, tag: int, representation: str | None, length: int) -> bool:
        group = int(tag) >> 16
        private = group % 2 == 1 and PIXEL_GROUP < group < 0xFFFF
        self.reached = self.after_pixels and not (
            private or group == PIXEL_GROUP or group in AFTER_THE_PIXELS
        )
        self.after_pixels = self.after_pixels or group == PIXEL_GROUP
        return self.reached


def _inflated(path: Path, stream: BytesIO) -> BytesIO:
    """Inflate a deflated file, as its own file meta states it, up to a limit; else return it."""
    from pydicom.filereader import read_dataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

    stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: int(tag) >> 16 != 2)
    start = stream.tell()
    stream.seek(0)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return stream
    content, unpack = stream.getvalue(), zlib.decompressobj(-zlib.MAX_WBITS)
    with dicom_stage(path, "its deflated data set is damaged", "inflate it with a DICOM tool"):
        inflated = unpack.decompress(content[start:], LARGEST_FILE // 2)
    if unpack.unconsumed_tail:
        raise XbdcnnError(f"{path}: larger than any radiograph; inflate it with a DICOM tool")
    deflated, plain = DeflatedExplicitVRLittleEndian.encode(), ExplicitVRLittleEndian.encode()
    return BytesIO(content[:start].replace(deflated, plain.ljust(len(deflated), b"\0")) + inflated)


def _require_supported_pixels(path: Path, header: Dataset) -> None:
    """Raise XbdcnnError unless the header describes one frame of grey or equal channels."""
    if "PixelData" not in header:
        raise XbdcnnError(
            f"{path}: a DICOM file without pixel data; choose the image object, or copy the "
            "file again if it is truncated"
        )
    refuse_frames(path, whole_number(path, header, "NumberOfFrames") or 1)
    height, width = (required_number(path, header, name) for name in ("Rows", "Columns"))
    check_area(path, height, width)
    _require_channels(path, header)
    if required_number(path, header, "PixelRepresentation") not in (0, 1):
        raise XbdcnnError(f"{path}: {named('PixelRepresentation')} is not 0 or 1; {CORRECT}")
    _require_depth(path, header)


def _require_channels(path: Path, header: Dataset) -> None:
    meaning = code_string(path, header, "PhotometricInterpretation")
    if meaning not in (*GREY, *COLOUR):
        kind = "a palette" if meaning == "PALETTE COLOR" else "missing or unknown"
        raise XbdcnnError(
            f"{path}: {named('PhotometricInterpretation')} is {kind}; convert the image to "
            "MONOCHROME1 or 2"
        )
    channels = 1 if meaning in GREY else 3
    if required_number(path, header, "SamplesPerPixel") != channels:
        raise XbdcnnError(
            f"{path}: {named('SamplesPerPixel')} contradicts PhotometricInterpretation; {CORRECT}"
        )


def _require_depth(path: Path, header: Dataset) -> None:
    allocated, stored = (
        required_number(path, header, name) for name in ("BitsAllocated", "BitsStored")
    )
    if allocated not in (8, 16) or not 8 <= stored <= allocated:
        raise XbdcnnError(
            f"{path}: {named('BitsAllocated')} or {named('BitsStored')} is not 8 to 16; export it "
            "again"
        )
    highest = whole_number(path, header, "HighBit")
    if highest not in (stored - 1, None) or _has_overlay_bits(header):
        raise XbdcnnError(
            f"{path}: the unused bits of its pixels hold an overlay or are not the highest ones "
            f"({named('HighBit')}), which a derived object cannot keep; convert it with a DICOM "
            "tool first"
        )
    header.HighBit = stored - 1


def _has_overlay_bits(header: Dataset) -> bool:
    """Tell whether an overlay plane (group 60xx) is stored within the pixel data."""
    positions = (header.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(element is not None and element.value for element in positions)
