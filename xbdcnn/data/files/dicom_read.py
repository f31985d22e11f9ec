"""Reading single-frame DICOM radiographs: stored numbers, and the window they are shown in.

No message of this module repeats a header's words, which may be a patient's; it names tags only.
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
from xbdcnn.data.files.formats import check_area, content_of, decoding, refuse_frames
from xbdcnn.data.files.window import Window

if TYPE_CHECKING:
    from pydicom import Dataset

HALF_A_GREY_LEVEL = 0.5 / 255
"""How near to black or white a curve must come to count as there."""


def read_dicom(path: Path) -> tuple[Dataset, NDArray]:
    """Read a grey DICOM image of 8 to 16 bits in any transfer syntax that has a decoder.

    Returns:
        The header without its pixel data, and the stored numbers (H, W): uint8, uint16, int8 or
        int16, before any rescale or window.

    Raises:
        XbdcnnError: damaged, no pixel data, several frames, colour, other depths, no decoder,
            too small or too large.
    """
    import pydicom
    from pydicom.pixels import pixel_array

    with hiding_header_values(path):
        header = pydicom.dcmread(_content(path))
        _require_radiograph(path, header)
        stored = np.asarray(pixel_array(header))
        if stored.shape != (header.Rows, header.Columns) or stored.dtype.kind not in "iu":
            raise XbdcnnError(f"{path}: pixels do not fit Rows and Columns; export it again")
        del header.PixelData
        return header, stored


@contextmanager
def hiding_header_values(path: Path) -> Iterator[None]:
    """Use a header without a word of it, which may be a patient's, getting into error or log."""
    from pydicom.config import disable_value_validation

    with decoding(path, quote=False), disable_value_validation():
        yield


def _content(path: Path) -> BytesIO:
    """Refuse a deflated file, which would be inflated unseen and as a whole, like a zip bomb."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    content = content_of(path)
    if DeflatedExplicitVRLittleEndian.encode() in content.getvalue():
        raise XbdcnnError(f"{path}: a deflated DICOM file; inflate it with a DICOM tool first")
    return content


def _require_radiograph(path: Path, header: Dataset) -> None:
    if "PixelData" not in header:
        raise XbdcnnError(
            f"{path}: a DICOM file without pixel data; choose the image object, or copy the file "
            "again if it was cut short"
        )
    refuse_frames(path, int(header.get("NumberOfFrames") or 1))
    if header.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise XbdcnnError(
            f"{path}: a colour DICOM, such as RGB or a palette; a radiograph is MONOCHROME1 or 2"
        )
    check_area(path, header.Rows, header.Columns)
    if header.get("SamplesPerPixel") != 1 or header.get("PixelRepresentation") not in (0, 1):
        raise XbdcnnError(
            f"{path}: SamplesPerPixel or PixelRepresentation is wrong; export it anew"
        )
    _require_depth(path, header)
    _require_decoder(path, header)


def _require_depth(path: Path, header: Dataset) -> None:
    allocated, stored = header.get("BitsAllocated"), header.get("BitsStored")
    if allocated not in (8, 16) or not 8 <= (stored or 0) <= allocated:
        raise XbdcnnError(
            f"{path}: BitsAllocated and BitsStored do not say 8 to 16; export it anew"
        )
    if header.get("HighBit") != stored - 1 or _has_overlay_bits(header):
        raise XbdcnnError(
            f"{path}: an overlay or a gap lies in the unused bits of its pixels, which a new "
            "object could not keep; convert it with a DICOM tool first"
        )


def _has_overlay_bits(header: Dataset) -> bool:
    """Tell whether a plane of group 60xx is stored in the pixels instead of by itself."""
    positions = (header.get((group, 0x0102)) for group in range(0x6000, 0x6020, 2))
    return any(element is not None and element.value for element in positions)


def _require_decoder(path: Path, header: Dataset) -> None:
    from pydicom.pixels import get_decoder

    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax and not syntax.is_compressed:
        return
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = None
    if not available:
        known = "no image codec" if available is None else f"{syntax.name}, no decoder for it here"
        raise XbdcnnError(
            f"{path}: compressed with {known}; run 'pip install pylibjpeg-libjpeg' for JPEG "
            "Lossless, or decompress it with a DICOM tool"
        )


def limits_of(header: Dataset) -> tuple[int, int]:
    """Smallest and largest number that BitsStored and PixelRepresentation allow."""
    bits = int(header.BitsStored)
    return (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if header.PixelRepresentation
        else (0, 2**bits - 1)
    )


def padding_of(header: Dataset) -> tuple[int, int] | None:
    """Lowest and highest stored number that means "no pixel here"; None if none does."""
    first = header.get("PixelPaddingValue")
    if first is None:
        return None
    last = header.get("PixelPaddingRangeLimit")
    return tuple(sorted((int(first), int(first if last is None else last))))


def window_of(path: Path, header: Dataset, stored: NDArray) -> Window:
    """Stored numbers that the header shows as black and white (DICOM PS3.3 C.7.6.3, C.11.1-2).

    A linear VOI window is undone through the rescale, exactly. For a VOI LUT, a SIGMOID window or
    a modality LUT it is the span from the last black to the first white of that curve. Without
    any of them, the smallest and the largest pixel that is no padding.
    """
    if is_curved(header):
        ends, origin = _ends_of_curve(path, header), "the header's curve"
    elif _has_window(header):
        ends, origin = _ends_of_line(path, header), "the header's window"
    else:
        ends, origin = _ends_of_pixels(path, header, stored), "its smallest and largest pixel"
    dark, bright = (float(end) for end in ends)
    if not np.isfinite([dark, bright]).all() or dark == bright:
        raise XbdcnnError(f"{path}: the header's window shows nothing; give --window BLACK WHITE")
    if header.PhotometricInterpretation == "MONOCHROME1":
        dark, bright = bright, dark
    return Window(dark, bright, origin)


def _has_window(header: Dataset) -> bool:
    return bool(header.get("WindowWidth")) and header.get("WindowCenter") not in (None, "")


def _ends_of_line(path: Path, header: Dataset) -> tuple[float, float]:
    """The first window's black and white, on the stored scale."""
    centre, width = (_first(header[name].value) for name in ("WindowCenter", "WindowWidth"))
    if str(header.get("VOILUTFunction", "LINEAR")).upper() != "LINEAR_EXACT":
        centre, width = centre - 0.5, width - 1  # PS3.3 C.11.2.1.2.1
    if not width > 0:
        raise XbdcnnError(f"{path}: WindowWidth is too small; give --window BLACK WHITE")
    slope, intercept = _rescale(path, header)
    return (centre - width / 2 - intercept) / slope, (centre + width / 2 - intercept) / slope


def _first(value) -> float:
    from pydicom.multival import MultiValue

    return float(value[0] if isinstance(value, MultiValue) else value)


def _rescale(path: Path, header: Dataset) -> tuple[float, float]:
    """Slope and intercept, which count only together."""
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is None or intercept is None:
        return 1.0, 0.0
    if not slope:
        raise XbdcnnError(f"{path}: RescaleSlope is 0; give --window BLACK WHITE")
    return float(slope), float(intercept)


def _ends_of_pixels(path: Path, header: Dataset, stored: NDArray) -> tuple[float, float]:
    padding = padding_of(header)
    exposed = stored if padding is None else stored[(stored < padding[0]) | (stored > padding[1])]
    if exposed.size == 0 or exposed.min() == exposed.max():
        raise XbdcnnError(f"{path}: every pixel is equal and no window is given; nothing to show")
    ends = (exposed.min(), exposed.max())
    return ends if _rescale(path, header)[0] > 0 else ends[::-1]


def is_curved(header: Dataset) -> bool:
    """Tell whether a lookup table or a SIGMOID leads from stored numbers to the display."""
    sigmoid = str(header.get("VOILUTFunction", "")).upper() == "SIGMOID" and _has_window(header)
    return bool(header.get("VOILUTSequence") or header.get("ModalityLUTSequence")) or sigmoid


def curve_of(path: Path, header: Dataset) -> NDArray[np.float64]:
    """What the display makes of every number that can be stored, darkest 0 and brightest 1.

    The modality LUT or rescale, then the VOI LUT or the first window; before MONOCHROME1.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    low, high = limits_of(header)
    numbers = np.arange(low, high + 1, dtype=np.int32)
    shown = apply_voi_lut(apply_modality_lut(numbers, header), header).astype(np.float64)
    if not np.ptp(shown) > 0:
        raise XbdcnnError(f"{path}: its lookup table is flat; give --window BLACK WHITE")
    return (shown - shown.min()) / np.ptp(shown)


def _ends_of_curve(path: Path, header: Dataset) -> tuple[float, float]:
    """Last stored number that the header's curve shows as black, and the first one as white."""
    curve = curve_of(path, header)
    dark = np.flatnonzero(curve <= HALF_A_GREY_LEVEL)
    bright = np.flatnonzero(curve >= 1 - HALF_A_GREY_LEVEL)
    ends = (dark[-1], bright[0]) if curve[-1] >= curve[0] else (dark[0], bright[-1])
    if (ends[0] < ends[1]) != (curve[-1] >= curve[0]):
        raise XbdcnnError(f"{path}: its lookup table goes up and down; give --window BLACK WHITE")
    low = limits_of(header)[0]
    return ends[0] + low, ends[1] + low
