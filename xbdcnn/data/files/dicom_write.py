"""Writing a restored radiograph as a derived DICOM object of the same study.

What stays: everything that says whose and what the image is, its geometry, display and private
tags, since a derived image belongs to its patient and study (PS3.3 C.7.6.1.1.2). What is new: the
instance, its series, the pixels, and what says where they come from. What goes: whatever
described the old pixels or sealed the old object.
"""

from __future__ import annotations

import copy
import re
import uuid
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.files.dicom_read import hiding_header_values

if TYPE_CHECKING:
    from pydicom import Dataset

RADIOGRAPHS = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX, for presentation",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX, for processing",
    "1.2.840.10008.5.1.4.1.1.12.2": "RF",
}
"""Classes of DICOM images that may be restored: the networks have learned no others."""

OF_OLD_PIXELS = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "DataSetTrailingPadding",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""Attributes that would no longer be true."""


def require_radiograph(path: Path, header: Dataset) -> None:
    """Raise XbdcnnError unless the object is one of `RADIOGRAPHS`."""
    with hiding_header_values(path):
        known = header.get("SOPClassUID") in RADIOGRAPHS
    if not known:
        raise XbdcnnError(
            f"{path}: no CR, DX or RF image, and the networks know no other; save it as PNG to "
            "try all the same"
        )


def save_derived(
    path: Path, header: Dataset, stored: NDArray, target: Path, derivation: str
) -> None:
    """Write `stored` as a new object derived from the one with `header`, atomically.

    Same size, bits, sign, photometric interpretation, window and padding. Uncompressed files
    keep their transfer syntax, all others become Explicit VR Little Endian.

    Args:
        path: the source file, for messages.
        header: of the source, without pixel data; not changed.
        stored: (H, W) numbers within its BitsStored.
        target: file to write.
        derivation: what was done; it must not hold anything of the patient's.

    Raises:
        XbdcnnError: the source's header cannot be written.
    """
    with atomic_path(target) as temporary, hiding_header_values(path):
        derived = _derived(header, stored, derivation)
        derived.save_as(temporary, enforce_file_format=True)


def _derived(header: Dataset, stored: NDArray, derivation: str) -> Dataset:
    derived = copy.deepcopy(header)
    for name in OF_OLD_PIXELS:
        if name in derived:
            delattr(derived, name)
    _identify(derived, header)
    _explain(derived, header, derivation)
    _put_pixels(derived, stored)
    return derived


def _identify(derived: Dataset, header: Dataset) -> None:
    """Give the object, and the series that all objects derived from one series share, a new UID."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    syntax = header.file_meta.TransferSyntaxUID
    series = uuid.uuid5(uuid.NAMESPACE_OID, f"{header.get('SeriesInstanceUID')} {_software()}")
    derived.SOPInstanceUID = UID(f"2.25.{uuid.uuid4().int}")
    derived.SeriesInstanceUID = UID(f"2.25.{series.int}")
    derived.preamble = bytes(128)
    derived.file_meta = FileMetaDataset()
    derived.file_meta.MediaStorageSOPClassUID = derived.SOPClassUID
    derived.file_meta.MediaStorageSOPInstanceUID = derived.SOPInstanceUID
    derived.file_meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian if syntax.is_encapsulated else syntax
    )


def _explain(derived: Dataset, header: Dataset, derivation: str) -> None:
    """Say that the image is derived, from what, by what, how and when."""
    kind, now = header.get("ImageType"), _now(header)
    values = [kind] if isinstance(kind, str) else list(kind or [])
    derived.ImageType = ["DERIVED", *(values[1:] or ["PRIMARY"])]
    described = header.get("SeriesDescription")
    derived.SeriesDescription = f"Denoised: {described}"[:64] if described else "Denoised"
    derived.DerivationDescription = derivation[:1024]
    derived.SourceImageSequence = [_source(header)]
    equipment = [*(header.get("ContributingEquipmentSequence") or []), _equipment(now)]
    derived.ContributingEquipmentSequence = equipment
    derived.InstanceCreationDate, derived.InstanceCreationTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    if _was_lossy(header):
        derived.LossyImageCompression = "01"  # a decoded image keeps the marks of its compression


def _source(header: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    source = Dataset()
    source.ReferencedSOPClassUID = header.SOPClassUID
    source.ReferencedSOPInstanceUID = header.SOPInstanceUID
    source.PurposeOfReferenceCodeSequence = [
        _code("121322", "Source image for image processing operation")
    ]
    return source


def _equipment(now: datetime) -> Dataset:
    from pydicom.dataset import Dataset

    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    equipment.Manufacturer, equipment.ManufacturerModelName = "The xbdcnn developers", "xbdcnn"
    equipment.SoftwareVersions = version("xbdcnn")
    equipment.ContributionDateTime = f"{now:%Y%m%d%H%M%S}"
    return equipment


def _code(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _software() -> str:
    return f"xbdcnn {version('xbdcnn')}"


def _now(header: Dataset) -> datetime:
    """The time by the clock of the object's other times."""
    offset = str(header.get("TimezoneOffsetFromUTC") or "")
    if not (match := re.fullmatch(r"([+-])(\d\d)([0-5]\d)", offset)) or int(match[2]) > 14:
        return datetime.now()
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return datetime.now(timezone(-ahead if match[1] == "-" else ahead))


def _was_lossy(header: Dataset) -> bool:
    """Tell whether the source was compressed with loss, which JPEG 2000's syntax leaves open."""
    from pydicom import uid

    lossy = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless)
    unsaid = (uid.JPEG2000, uid.HTJ2K)
    syntax = header.file_meta.TransferSyntaxUID
    return syntax in lossy or (syntax in unsaid and "LossyImageCompression" not in header)


def _put_pixels(derived: Dataset, stored: NDArray) -> None:
    order = "<" if derived.file_meta.TransferSyntaxUID.is_little_endian else ">"
    allocated = int(derived.BitsAllocated) // 8
    sign = "i" if derived.PixelRepresentation else "u"
    content = np.ascontiguousarray(stored, dtype=f"{order}{sign}{allocated}").tobytes()
    content += b"\0" * (len(content) % 2)
    derived.add_new("PixelData", "OB" if allocated == 1 else "OW", content)
