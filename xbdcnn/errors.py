"""The one error type that xbdcnn raises for bad input."""

from __future__ import annotations


class XbdcnnError(ValueError):
    """Bad input or a bad file; the message is one line that names the cause and the remedy."""
