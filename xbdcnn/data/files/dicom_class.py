"""Which DICOM objects may be restored, by SOP class and modality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_values import ADD, CORRECT, code_string, named, value_of

if TYPE_CHECKING:
    from pydicom import Dataset

PROJECTION_IMAGE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.3": "IO",
    "1.2.840.10008.5.1.4.1.1.1.3.1": "IO",
    "1.2.840.10008.5.1.4.1.1.12.1": "XA",
    "1.2.840.10008.5.1.4.1.1.12.2": "RF",
}
"""SOP classes that may be restored, and their modality: the networks were trained on projection
radiographs only."""

FOR_PROCESSING = ("1.2.840.10008.5.1.4.1.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.3.1")
"""Those of these classes whose images are not for presentation."""

SECONDARY_CAPTURE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.3",
)
"""Secondary Capture, and its multi-frame classes of grey bytes and words."""

PROJECTION_MODALITIES = ("CR", "DX", "RG", "RF", "XA", "IO", "PX")
"""Values of Modality with which a Secondary Capture is a projection radiograph."""


def require_projection_image(path: Path, header: Dataset) -> None:
    """Raise XbdcnnError unless the class, or the modality of a Secondary Capture, is listed."""
    found = value_of(path, header, "SOPClassUID")
    modality = code_string(path, header, "Modality")
    if found in PROJECTION_IMAGE_CLASSES:
        return
    if found in SECONDARY_CAPTURE_CLASSES:
        if modality in PROJECTION_MODALITIES:
            return
        fault, remedy = f"a Secondary Capture whose {named('Modality')} is no radiograph", CORRECT
    elif found is None:
        fault, remedy = f"{named('SOPClassUID')} is missing, also in the file meta", ADD
    else:
        fault = "not a CR, DX, IO, RF or XA image, for which the networks were trained"
        remedy = "choose a radiograph"
    raise XbdcnnError(f"{path}: {fault}; {remedy}, or save it as PNG to denoise it nevertheless")
