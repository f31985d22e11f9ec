"""Synthetic CR, DX and RF objects for the tests, valid according to an independent validator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CLASSES = {
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
}
IDENTIFYING_VALUES = {
    "PatientName": "Quixotewitz^Dulcinea",
    "PatientID": "PID-7318842",
    "PatientBirthDate": "19320417",
    "AccessionNumber": "ACC5550199",
    "StudyID": "STUDY90210",
    "StudyDate": "20030911",
    "SeriesDate": "20030911",
    "ContentDate": "20030911",
    "AcquisitionDate": "20030911",
    "ReferringPhysicianName": "Panzawright^Sancho",
    "InstitutionName": "Rocinante General",
    "StationName": "WINDMILL7",
}
"""Values that identify the patient; they must not appear in messages or file names."""


def code_sequence(value: str, scheme: str, meaning: str) -> pydicom.Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return pydicom.Sequence([item])


def radiograph(
    modality: str = "CR",
    stored: np.ndarray | None = None,
    bits: int = 12,
    kind: str = "MONOCHROME2",
    **tags: object,
) -> Dataset:
    """Return a single-frame object of (H, W) stored values; further attributes by keyword."""
    stored = ramp(bits) if stored is None else stored
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SOPClassUID, header.SOPInstanceUID = UID(CLASSES[modality]), generate_uid()
    header.StudyInstanceUID, header.SeriesInstanceUID = generate_uid(), generate_uid()
    header.StudyTime = header.ContentTime = header.AcquisitionTime = "101500"
    header.Modality, header.Manufacturer, header.PatientSex = modality, "Maker", "O"
    header.SeriesNumber, header.InstanceNumber = 1, 1
    header.PatientOrientation = ["L", "F"]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, kind
    header.Rows, header.Columns = stored.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 8 * stored.itemsize, bits, bits - 1
    header.PixelRepresentation = int(stored.dtype.kind == "i")
    for keyword, value in {
        **IDENTIFYING_VALUES,
        **MODALITY_ATTRIBUTES[modality](kind, bits),
        **tags,
    }.items():
        setattr(header, keyword, value)
    header.add_new("PixelData", "OW" if stored.itemsize == 2 else "OB", stored.tobytes())
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def _cr_attributes(kind: str, bits: int) -> dict[str, object]:
    return {"BodyPartExamined": "CHEST", "ViewPosition": "PA"}


def _dx_attributes(kind: str, bits: int) -> dict[str, object]:
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "PresentationIntentType": "FOR PRESENTATION",
        "AnatomicRegionSequence": code_sequence("51185008", "SCT", "Chest"),
        "ImageLaterality": "U",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1 if kind == "MONOCHROME1" else -1,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
        "RescaleType": "US",
        "PresentationLUTShape": "INVERSE" if kind == "MONOCHROME1" else "IDENTITY",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "WindowCenter": 2 ** (bits - 1),
        "WindowWidth": 2**bits,
        "ImagerPixelSpacing": [0.15, 0.15],
        "DetectorType": "DIRECT",
        "AcquisitionContextSequence": [],
        "PositionerType": "",
        "ViewPosition": "PA",
    }


def _rf_attributes(kind: str, bits: int) -> dict[str, object]:
    return {"PixelIntensityRelationship": "LIN", "KVP": 70, "RadiationSetting": "SC"} | {
        "Laterality": "",
        "XRayTubeCurrent": 10,
        "ExposureTime": 5,
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
    }


MODALITY_ATTRIBUTES = {"CR": _cr_attributes, "DX": _dx_attributes, "RF": _rf_attributes}


def ramp(bits: int = 12, shape: tuple[int, int] = (24, 40)) -> np.ndarray:
    """Return a noisy ramp over the middle half of the range of `bits`."""
    grey = np.linspace(0.25, 0.75, shape[0] * shape[1]).reshape(shape)
    grey = grey + np.random.default_rng(0).normal(0, 0.02, shape)
    return np.round(grey * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def write(path: Path, header: Dataset) -> Path:
    header.save_as(path, enforce_file_format=True)
    return path
