"""Baseline and extended JPEG streams in DICOM that need a correction before they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xbdcnn.data.files.dicom_mend import show_full_range

if TYPE_CHECKING:
    from pydicom import Dataset

SEQUENTIAL = (0xC0, 0xC1)
"""Markers of frames in sequential JPEG, baseline and extended (ITU-T T.81, table B.1)."""

START_OF_SCAN = 0xDA


def mend_jpeg(header: Dataset) -> list[str]:
    """Correct the bits in the header and the scan header of sequential JPEG; note the former.

    An 8-bit stream in a header of up to 16 bits is shown from 0 to 255 as other decoders do: its
    encoder has scaled the image. The spectral selection, which the sequential modes do not use, is
    set to its only valid value, without which libjpeg refuses the stream.
    """
    from pydicom.encaps import encapsulate, get_frame
    from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

    if header.file_meta.TransferSyntaxUID not in (JPEGBaseline8Bit, JPEGExtended12Bit):
        return []
    stream = bytearray(get_frame(header.PixelData, 0, number_of_frames=1))
    segments = dict(_segments(stream))
    start = next((segments[marker] for marker in SEQUENTIAL if marker in segments), None)
    if start is None or START_OF_SCAN not in segments:
        return []
    scan = segments[START_OF_SCAN]
    selection = scan + 3 + 2 * stream[scan + 2]
    stream[selection : selection + 3] = 0, 63, 0
    header.PixelData = encapsulate([bytes(stream)])
    return _set_bits(header, stream[start + 2])


def _segments(stream: bytearray) -> Iterator[tuple[int, int]]:
    """Yield marker and position of the length of every segment, up to the first scan."""
    place = 2
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        yield marker, place + 2
        if marker == START_OF_SCAN:
            return
        place += 2 + int.from_bytes(stream[place + 2 : place + 4])


def _set_bits(header: Dataset, precision: int) -> list[str]:
    """Replace 16 allocated bits by the 8 of the stream, and a window for more than 8."""
    if precision != 8 or header.BitsAllocated == 8:
        return []
    rescaled = header.BitsStored > precision
    header.BitsAllocated, header.BitsStored, header.HighBit = 8, 8, 7
    if rescaled:
        show_full_range(header)
    return ["8 bits as in its JPEG data, not as in BitsAllocated"]
