"""Reading a radiograph as a picture, whatever its file: PNG, TIFF, JPEG or DICOM.

The result is one thing: float32, (H, W), in [0, 1], 1 = white, as a radiologist sees it (bone
white). `scan` keeps the file's own numbers as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn.data.dicom import curve_of, discreetly, is_curved, limits_of
from xbdcnn.data.scan import Scan, open_scan


def load_radiograph(path: str | Path) -> NDArray[np.float32]:
    """Read one radiograph from a PNG, TIFF, JPEG or DICOM file; the content decides, not the name.

    Integers are divided by their type's full range (255 or 65535); a floating-point TIFF must
    be in [0, 1] already. RGB and alpha are accepted where the picture is really grey and opaque.

    DICOM: the modality LUT or rescale, then the VOI LUT or the first window are applied (DICOM
    PS3.3 C.11.1-2), and that window's output range becomes [0, 1]. Without either, the smallest
    and largest stored value become 0 and 1. MONOCHROME1 is inverted at the end. A curved VOI LUT
    is followed here; `xbdcnn denoise` takes the straight window of `open_scan` in its place,
    since what the network changed has to be put back into stored numbers.

    Returns:
        (H, W) float32 in [0, 1], 1 = white, H and W >= 16.

    Raises:
        XbdcnnError: one line that names the file and the remedy: missing, empty, truncated or
            damaged, not a radiograph, several frames, coloured, not opaque, NaN or out of
            range, too small, or too large (more than 8192 x 8192 pixels).
    """
    scan = open_scan(path)
    with discreetly(scan.path):
        return _along_curve(scan) if scan.header and is_curved(scan.header) else scan.unit


def _along_curve(scan: Scan) -> NDArray[np.float32]:
    """Look every stored number up in the header's curve, which no affine window can follow."""
    curve = curve_of(scan.path, scan.header).astype(np.float32)
    if scan.header.PhotometricInterpretation == "MONOCHROME1":
        curve = 1 - curve
    return curve[scan.stored.astype(np.int32) - limits_of(scan.header)[0]]
