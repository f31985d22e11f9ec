"""Single attributes of a DICOM header: their values, and errors that name attribute and remedy.

No message quotes a header value, which may identify the patient; messages name attributes only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.formats import decoder_errors

if TYPE_CHECKING:
    from pydicom import Dataset

CORRECT = "correct it with a DICOM tool, such as dcmodify of DCMTK"
"""Remedy for an attribute that no option of xbdcnn replaces."""

ADD = "add it with a DICOM tool, such as dcmodify of DCMTK"
"""Remedy for a missing attribute."""

GIVE_WINDOW = "give --window BLACK WHITE"
"""Remedy for an attribute that only determines the window."""


@contextmanager
def dicom_stage(path: Path, failure: str, remedy: str) -> Iterator[None]:
    """Convert every error of one stage into an XbdcnnError without header values."""
    from pydicom.config import disable_value_validation

    with decoder_errors(path, failure, remedy, quote=False), disable_value_validation():
        yield


def named(keyword: str) -> str:
    """Return keyword and tag, as in 'Rows (0028,0010)'."""
    from pydicom.tag import Tag

    tag = Tag(keyword)
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


def value_of(path: Path, header: Dataset, keyword: str, remedy: str = CORRECT) -> Any:
    """Return the value of an attribute, or None if it is absent or empty.

    Raises:
        XbdcnnError: the value does not have the form that its type requires.
    """
    with dicom_stage(path, f"{named(keyword)} cannot be read", remedy):
        value = header.get(keyword)
        return None if value is None or value == "" or value == [] else value


def whole_number(path: Path, header: Dataset, keyword: str) -> int | None:
    """Return a whole number, or None if the attribute is absent or empty; else XbdcnnError."""
    value = value_of(path, header, keyword)
    if value is not None and not isinstance(value, int):
        raise XbdcnnError(f"{path}: {named(keyword)} is not one whole number; {CORRECT}")
    return None if value is None else int(value)


def required_number(path: Path, header: Dataset, keyword: str) -> int:
    """Return a whole number; XbdcnnError if the attribute is absent or no whole number."""
    if (value := whole_number(path, header, keyword)) is None:
        raise XbdcnnError(f"{path}: {named(keyword)} is missing; {ADD}")
    return value


def decimal_number(path: Path, header: Dataset, keyword: str) -> float | None:
    """Return the first number of a decimal attribute of the window, or None without one.

    Raises:
        XbdcnnError: it is no number, NaN or infinite.
    """
    from pydicom.multival import MultiValue

    value = value_of(path, header, keyword, GIVE_WINDOW)
    first = value[0] if isinstance(value, MultiValue) else value
    with dicom_stage(path, f"{named(keyword)} is not a number", GIVE_WINDOW):
        number = None if first is None else float(first)
    if number is not None and not math.isfinite(number):
        raise XbdcnnError(f"{path}: {named(keyword)} is not a finite number; {GIVE_WINDOW}")
    return number


def code_string(path: Path, header: Dataset, keyword: str) -> str:
    """Return a coded text in capitals, or '' without one."""
    return str(value_of(path, header, keyword) or "").strip().upper()


def limits_of(header: Dataset) -> tuple[int, int]:
    """Return the smallest and largest value that BitsStored and PixelRepresentation allow."""
    count = 2 ** int(header.BitsStored)
    return (-count // 2, count // 2 - 1) if header.PixelRepresentation else (0, count - 1)


def with_sign_of_pixels(value: int, low: int, high: int) -> int:
    """Return the value in low..high that has the same 16 bits, or else the same stored bits.

    A stored value in the header is often written with the other sign than the pixels. Unchanged
    if it cannot be a value of a pixel either way.
    """
    candidates = [value, value - 2**16, value + 2**16]
    if low < 0:
        candidates.append(value - (high - low + 1))
    return next((found for found in candidates if low <= found <= high), value)
