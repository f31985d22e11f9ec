"""Correct faults of a DICOM header whose correction is certain, and say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_values import (
    CORRECT,
    limits_of,
    named,
    whole_number,
    with_sign_of_pixels,
)

if TYPE_CHECKING:
    from pydicom.dataelem import RawDataElement
    from pydicom.dataset import Dataset, FileDataset

PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")

DISPLAY_ATTRIBUTES = (
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenterWidthExplanation",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "PresentationLUTShape",
)
"""Attributes that determine how stored values are displayed, besides the window."""


def mend_header(path: Path, header: FileDataset) -> list[str]:
    """Correct a header in place; return one note per correction, without header values.

    Raises:
        XbdcnnError: a fault that is named with its attribute, and cannot be corrected.
    """
    _set_transfer_syntax(path, header)
    return [*_identity_from_file_meta(header), *_decimal_points(header)]


def _set_transfer_syntax(path: Path, header: FileDataset) -> None:
    """Complete a missing transfer syntax by the encoding that the parser has recognised."""
    from pydicom import uid

    if header.file_meta.get("TransferSyntaxUID"):
        return
    if "PixelData" in header and header["PixelData"].is_undefined_length:
        raise XbdcnnError(
            f"{path}: its file meta does not name the compression of its pixels, "
            f"{named('TransferSyntaxUID')}; {CORRECT}"
        )
    implicit, little = header.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
    header.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _identity_from_file_meta(header: FileDataset) -> list[str]:
    """Take class and instance from the file meta, the only place that some de-identifiers leave."""
    taken = []
    for name in ("SOPClassUID", "SOPInstanceUID"):
        stated = header.file_meta.get(f"MediaStorage{name}")
        if stated and not header.get(name):
            setattr(header, name, stated)
            taken.append(name)
    return [f"{' and '.join(taken)} taken from the file meta"] if taken else []


def _decimal_points(header: Dataset) -> list[str]:
    """Replace the comma by a point in decimal strings that are numbers thereby."""
    from pydicom.datadict import keyword_for_tag
    from pydicom.dataelem import RawDataElement

    mended: list[str] = []
    for tag in list(header.keys()):
        element = header.get_item(tag)
        if isinstance(element, RawDataElement) and _has_decimal_comma(element):
            assert element.value is not None  # it has a comma
            header[tag] = element._replace(value=element.value.replace(b",", b"."))
            mended.append(keyword_for_tag(tag) or str(tag))
    return [f"decimal comma of {' and '.join(mended)} read as a point"] if mended else []


def _has_decimal_comma(element: RawDataElement) -> bool:
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    known, value = dictionary_has_tag(element.tag), element.value or b""
    representation = element.VR or (dictionary_VR(element.tag) if known else None)
    if representation != "DS" or b"," not in value:
        return False
    try:
        return bool([float(part.strip(b" \0")) for part in value.replace(b",", b".").split(b"\\")])
    except ValueError:
        return False


def mend_padding(path: Path, header: Dataset) -> list[str]:
    """Read padding with the sign of the pixels; the 16 bits of -2000 are often written as 63536.

    header: with valid BitsStored and PixelRepresentation; corrected in place.
    """
    kind, representation = ("signed", "SS") if header.PixelRepresentation else ("unsigned", "US")
    notes = []
    for name in PADDING:
        value = whole_number(path, header, name)
        if value is not None and value != (own := with_sign_of_pixels(value, *limits_of(header))):
            header.add_new(name, representation, own)
            notes.append(f"{name} read as {kind}")
    return notes


def show_full_range(header: Dataset) -> None:
    """Replace the display attributes by a window from 0 to the largest value of BitsStored."""
    for name in DISPLAY_ATTRIBUTES:
        if name in header:
            delattr(header, name)
    header.WindowCenter, header.WindowWidth = 2 ** (header.BitsStored - 1), 2**header.BitsStored
