"""Make a derived DICOM object one that other software reads.

Attributes that its class requires and that the source lacks are added where they are known, or
empty where the standard allows it; elements that cannot be written are removed.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from xbdcnn.data.files.dicom_class import (
    FOR_PROCESSING,
    PROJECTION_IMAGE_CLASSES,
    SECONDARY_CAPTURE_CLASSES,
)

if TYPE_CHECKING:
    from pydicom import Dataset

EMPTY_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "SeriesNumber",
    "InstanceNumber",
    "Manufacturer",
)
"""Attributes of type 2 of every image: present, and empty if unknown (PS3.3 C.7)."""

BODY_PART = ("BodyPartExamined", "AnatomicRegionSequence", "ImageLaterality")
"""Attributes without which the body part, and thereby its laterality, is unknown."""


def complete_header(derived: Dataset) -> None:
    """Add what every image requires, in place; nothing that is present is changed."""
    from pydicom.uid import UID

    laterality = () if any(map(derived.get, BODY_PART)) else ("Laterality",)
    for name in (*EMPTY_IF_UNKNOWN, *laterality):
        if name not in derived:
            setattr(derived, name, None)
    if not derived.get("StudyInstanceUID"):  # a study of its own, the same for its series
        study = uuid.uuid5(uuid.NAMESPACE_OID, f"study of {derived.SeriesInstanceUID}")
        derived.StudyInstanceUID = UID(f"2.25.{study.int}")
    for name, value in _known_by_class(derived).items():
        if name not in derived:
            setattr(derived, name, value)


def _known_by_class(derived: Dataset) -> dict[str, Any]:
    """Return the attributes that follow from the SOP class, or may be empty in it."""
    found = str(derived.SOPClassUID)
    modality = PROJECTION_IMAGE_CLASSES.get(found, "OT")
    if modality in ("DX", "IO"):
        return {"Modality": modality, **_known_of_digital_x_ray(derived, found)}
    known: dict[str, Any] = {"Modality": modality, "PatientOrientation": None}
    if modality == "CR":
        known |= {"BodyPartExamined": None, "ViewPosition": None}
    if found in SECONDARY_CAPTURE_CLASSES:
        known["ConversionType"] = "WSD"  # made on a workstation
    return known


def _known_of_digital_x_ray(derived: Dataset, found: str) -> dict[str, Any]:
    """Return what the DX modules leave no choice for, or allow to be empty (PS3.3 C.8.11)."""
    known: dict[str, Any] = dict.fromkeys(("AcquisitionContextSequence", "PositionerType"))
    if not derived.get("BodyPartExamined"):
        known["AnatomicRegionSequence"] = None
    shape = "INVERSE" if derived.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
    purpose = "PROCESSING" if found in FOR_PROCESSING else "PRESENTATION"
    known |= {"PresentationIntentType": f"FOR {purpose}", "PresentationLUTShape": shape}
    known |= {"DetectorType": None, "LossyImageCompression": "00"}
    if "RescaleSlope" not in derived and "RescaleIntercept" not in derived:
        known |= {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}
    return known


def remove_unwritable(derived: Dataset) -> None:
    """Remove elements that cannot be encoded; name their tags in the description of the derivation.

    These are elements of a message (group 0000) or of the file meta (0002) within the data set,
    and damaged ones.
    """
    tags = list(derived.keys())
    removed = [tag for tag in tags if tag.group in (0, 2) or not _is_writable(derived, tag)]
    for tag in removed:
        del derived[tag]
    text = f"{derived.DerivationDescription} Left away: {', '.join(map(str, removed))}."
    derived.DerivationDescription = text[:1024]


def _is_writable(derived: Dataset, tag: int) -> bool:
    """Tell whether one element can be encoded in the transfer syntax of the object."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_data_element

    stream, syntax = DicomBytesIO(), derived.file_meta.TransferSyntaxUID
    stream.is_implicit_VR = syntax.is_implicit_VR
    stream.is_little_endian = syntax.is_little_endian
    try:
        write_data_element(stream, derived.get_item(tag), derived.get("SpecificCharacterSet"))
    except Exception:  # an element that was damaged may raise anything
        return False
    return True
