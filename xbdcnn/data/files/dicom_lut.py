"""Lookup tables of a DICOM header (PS3.3 C.11.1 and C.11.2), also those with common faults.

pydicom's `apply_voi_lut` and `apply_modality_lut` refuse packed entries of 8 bits and tables of 9
to 15 bits, and reduce entries above 255 modulo 256 where the descriptor says 8 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.dicom_values import (
    GIVE_WINDOW,
    dicom_stage,
    named,
    value_of,
    with_sign_of_pixels,
)

if TYPE_CHECKING:
    from pydicom import Dataset


class LookupTable(NamedTuple):
    """entries: (n,) int64 results; first: the value that the first entry belongs to."""

    entries: NDArray[np.int64]
    first: int

    def apply(self, values: NDArray) -> NDArray[np.int64]:
        """Look values up; those before the first and after the last entry get that entry."""
        place = np.rint(values).astype(np.int64) - self.first
        return self.entries[place.clip(0, len(self.entries) - 1)]


def has_table(header: Dataset, sequence: str) -> bool:
    """Tell whether the first item of a sequence of lookup tables has a descriptor and data."""
    items = header.get(sequence)
    return bool(items) and "LUTDescriptor" in items[0] and "LUTData" in items[0]


def table_of(path: Path, header: Dataset, sequence: str, inputs: NDArray) -> LookupTable:
    """Return the first table of a sequence.

    Args:
        path: file, for messages.
        header: header with this sequence, see `has_table`.
        sequence: ModalityLUTSequence or VOILUTSequence.
        inputs: values that the table will be applied to; they decide the sign of the first one.

    Raises:
        XbdcnnError: descriptor or data are invalid, or there are fewer entries than stated.
    """
    item, of = header[sequence].value[0], f"of {named(sequence)}"
    with dicom_stage(path, f"{named('LUTDescriptor')} {of} is invalid", GIVE_WINDOW):
        count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = (count & 0xFFFF) or 2**16
    value = value_of(path, item, "LUTData", GIVE_WINDOW)
    with dicom_stage(path, f"{named('LUTData')} {of} is invalid", GIVE_WINDOW):
        little = header.original_encoding[1] is not False
        entries = _entries(value, count, bits & 0xFFFF, little)
    if entries is None:
        raise XbdcnnError(
            f"{path}: {named('LUTData')} {of} has fewer entries than its LUTDescriptor "
            f"states; {GIVE_WINDOW}"
        )
    low, high = int(inputs.min()), int(inputs.max())
    return LookupTable(entries.astype(np.int64), with_sign_of_pixels(first, low, high))


def _entries(value: Any, count: int, bits: int, little: bool) -> NDArray | None:
    """Return `count` entries of one word each or, for at most 8 bits, of one byte each.

    Packed bytes begin with the lower byte of each word, in either byte order (PS3.3 C.11.1.1).
    """
    if isinstance(value, bytes):
        words = np.frombuffer(value + bytes(len(value) % 2), "<u2" if little else ">u2")
    else:
        words = (np.atleast_1d(value).astype(np.int64) & 0xFFFF).astype(np.uint16)
    if len(words) >= count:
        return words[:count]
    packed = words.astype("<u2").view(np.uint8)
    return packed[:count] if bits <= 8 and len(packed) >= count else None
