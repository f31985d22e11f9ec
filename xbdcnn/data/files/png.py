"""The structure of PNG files, as far as Pillow does not expose it."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
"""Chunks of texts, and of the colour profile, which does not apply to grey values."""

SIGNATURE_LENGTH = 8


def png_depth(path: Path) -> int:
    """Return the bits per channel from the header of a PNG file."""
    with open(path, "rb") as stream:
        return stream.read(25)[24]


def without_texts(content: BytesIO) -> BytesIO:
    """Return a PNG without its `TEXT_CHUNKS`; what follows a truncated chunk is kept as it is."""
    whole = content.getvalue()
    kept, start = [whole[:SIGNATURE_LENGTH]], SIGNATURE_LENGTH
    while start + 8 <= len(whole):
        length, kind = struct.unpack_from(">I4s", whole, start)
        end = start + 12 + length  # length, kind and checksum take four bytes each
        if kind not in TEXT_CHUNKS:
            kept.append(whole[start:end])
        start = end
    return BytesIO(b"".join([*kept, whole[start:]]))
