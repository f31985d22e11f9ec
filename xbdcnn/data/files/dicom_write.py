"""Write a restored radiograph as a derived DICOM object of the same study.

Kept: patient, study, geometry, display and private attributes, since a derived image belongs to
the patient and study of its source (PS3.3 C.7.6.1.1.2). New: instance and series UID, the pixels,
and the attributes that describe the derivation. Removed: attributes that describe the old pixels
or sign the old object.
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

from xbdcnn._common.files import atomic_path
from xbdcnn.data.files.dicom_complete import complete_header, remove_unwritable
from xbdcnn.data.files.dicom_text import with_prefix
from xbdcnn.data.files.dicom_values import dicom_stage

if TYPE_CHECKING:
    from pydicom import Dataset

OBSOLETE_ATTRIBUTES = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "IconImageSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "DataSetTrailingPadding",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""Attributes of the source that do not hold for the derived object."""


def save_derived(
    path: Path, header: Dataset, stored: NDArray, target: Path, derivation: str
) -> None:
    """Write `stored` as a new object derived from the one with `header`, atomically.

    Size, bit depth, sign, photometric interpretation, window and padding are kept. Uncompressed
    files keep their transfer syntax, all others become Explicit VR Little Endian.

    Args:
        path: source file, for messages.
        header: header of the source, without pixel data; not changed.
        stored: (H, W) stored values within its BitsStored.
        target: file to write.
        derivation: description of the processing, without patient data.

    Raises:
        XbdcnnError: the header of the source cannot be written.
    """
    failure = "its header cannot be written as a derived object"
    with atomic_path(target) as temporary, dicom_stage(path, failure, "save it as PNG"):
        derived = _derived_object(header, stored, derivation)
        try:
            derived.save_as(temporary, enforce_file_format=True)
        except (OSError, MemoryError):
            raise
        except Exception:  # an element that was damaged may raise anything
            remove_unwritable(derived)
            derived.save_as(temporary, enforce_file_format=True)


def _derived_object(header: Dataset, stored: NDArray, derivation: str) -> Dataset:
    derived = copy.deepcopy(header)
    for name in OBSOLETE_ATTRIBUTES:
        if name in derived:
            delattr(derived, name)
    _set_identity(derived, header)
    _set_derivation(derived, header, derivation)
    _set_pixels(derived, stored)
    complete_header(derived)
    return derived


def _set_identity(derived: Dataset, header: Dataset) -> None:
    """Set a new instance UID, and a series UID that depends on the source's series only."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    syntax = header.file_meta.TransferSyntaxUID
    software = f"xbdcnn {version('xbdcnn')}"
    # Without a series of its own, the source is one.
    source = header.get("SeriesInstanceUID") or header.get("SOPInstanceUID") or uuid.uuid4()
    series = uuid.uuid5(uuid.NAMESPACE_OID, f"{source} {software}")
    derived.SOPInstanceUID = UID(f"2.25.{uuid.uuid4().int}")
    derived.SeriesInstanceUID = UID(f"2.25.{series.int}")
    derived.preamble = bytes(128)
    derived.file_meta = FileMetaDataset()
    derived.file_meta.MediaStorageSOPClassUID = derived.SOPClassUID
    derived.file_meta.MediaStorageSOPInstanceUID = derived.SOPInstanceUID
    derived.file_meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian if syntax.is_encapsulated else syntax
    )


def _set_derivation(derived: Dataset, header: Dataset, derivation: str) -> None:
    """Record that the image is derived, from which object, by which software, how and when."""
    kind, now = header.get("ImageType"), _current_time(header)
    values = [kind] if isinstance(kind, str) else list(kind or [])
    derived.ImageType = ["DERIVED", *(values[1:] or ["PRIMARY"])]
    with_prefix(derived, "SeriesDescription", "Denoised")
    derived.DerivationDescription = derivation.encode("ascii", "replace").decode()[:1024]
    if header.get("SOPInstanceUID"):
        derived.SourceImageSequence = [_source_image(header)]
    equipment = [*(header.get("ContributingEquipmentSequence") or []), _equipment(now)]
    derived.ContributingEquipmentSequence = equipment
    derived.InstanceCreationDate, derived.InstanceCreationTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    if _was_lossy(header):
        derived.LossyImageCompression = "01"  # decoding does not undo the loss


def _source_image(header: Dataset) -> Dataset:
    """Return the reference to the source object."""
    from pydicom.dataset import Dataset

    source = Dataset()
    source.ReferencedSOPClassUID = header.SOPClassUID
    source.ReferencedSOPInstanceUID = header.SOPInstanceUID
    source.PurposeOfReferenceCodeSequence = [
        _code("121322", "Source image for image processing operation")
    ]
    return source


def _equipment(now: datetime) -> Dataset:
    """Return the description of this software as contributing equipment."""
    from pydicom.dataset import Dataset

    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    equipment.Manufacturer, equipment.ManufacturerModelName = "The xbdcnn developers", "xbdcnn"
    equipment.SoftwareVersions = version("xbdcnn")
    equipment.ContributionDateTime = f"{now:%Y%m%d%H%M%S}"
    return equipment


def _code(value: str, meaning: str) -> Dataset:
    """Return a code sequence item of the scheme DCM."""
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _current_time(header: Dataset) -> datetime:
    """Return the time in the time zone of the header's other times."""
    offset = str(header.get("TimezoneOffsetFromUTC") or "")
    if not (match := re.fullmatch(r"([+-])(\d\d)([0-5]\d)", offset)) or int(match[2]) > 14:
        return datetime.now()
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return datetime.now(timezone(-ahead if match[1] == "-" else ahead))


def _was_lossy(header: Dataset) -> bool:
    """Tell whether the source was, or may have been, compressed with loss."""
    from pydicom import uid

    lossy = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless)
    undetermined = (uid.JPEG2000, uid.HTJ2K)  # the syntax allows both
    syntax = header.file_meta.TransferSyntaxUID
    return syntax in lossy or (syntax in undetermined and "LossyImageCompression" not in header)


def _set_pixels(derived: Dataset, stored: NDArray) -> None:
    """Store the pixels uncompressed, in the byte order of the transfer syntax."""
    order = "<" if derived.file_meta.TransferSyntaxUID.is_little_endian else ">"
    allocated = int(derived.BitsAllocated) // 8
    sign = "i" if derived.PixelRepresentation else "u"
    content = np.ascontiguousarray(stored, dtype=f"{order}{sign}{allocated}").tobytes()
    content += b"\0" * (len(content) % 2)
    derived.add_new("PixelData", "OB" if allocated == 1 else "OW", content)
