"""Text of the source in a derived DICOM object, kept byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

LONGEST = 64
"""Characters of a text of type LO (PS3.5 6.2)."""


def with_prefix(header: Dataset, keyword: str, prefix: str) -> None:
    """Put an ASCII prefix and a colon before a text of at most 64 characters (type LO).

    The bytes of the text are kept as they are: the character set in the header may be wrong, and
    some, such as ISO_IR 13, do not survive decoding and encoding. If the result is too long, ASCII
    is shortened and other text left away.

    header: changed in place; without such a text, or with one that cannot be kept, the prefix is
    the whole text.
    """
    text = _bytes_of(header, keyword)
    joined = f"{prefix}: ".encode() + text
    divisible = text.isascii() and b"\x1b" not in text  # an escape changes the character set
    if not text or (len(joined) > LONGEST and not divisible):
        joined = prefix.encode()
    _set_bytes(header, keyword, joined[:LONGEST])


def _bytes_of(header: Dataset, keyword: str) -> bytes:
    """Return a text as stored; one that was decoded before only if it is ASCII."""
    from pydicom.tag import Tag

    element = header.get_item(Tag(keyword)) if keyword in header else None
    if element is None or not element.value:
        return b""
    if isinstance(element.value, bytes):
        return element.value.strip(b" \0")
    text = str(element.value)
    return text.encode() if text.isascii() else b""


def _set_bytes(header: Dataset, keyword: str, text: bytes) -> None:
    """Store a text of type LO without encoding it again."""
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag, padded = Tag(keyword), text + b" " * (len(text) % 2)
    implicit, little = header.original_encoding
    header[tag] = RawDataElement(
        tag, "LO", len(padded), padded, 0, bool(implicit), little is not False
    )
