"""X-BDCNN: blind denoising of radiographs, the reproducible companion to one paper.

Importing the package is fast: torch is imported when `load_pretrained` is first accessed.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbdcnn.inference.pretrained import load_pretrained

__all__ = ["__version__", "load_pretrained"]

__version__ = version("xbdcnn")


def __getattr__(name: str) -> Any:
    """Import `load_pretrained` on first access; AttributeError for an unknown name."""
    if name == "load_pretrained":
        from xbdcnn.inference.pretrained import load_pretrained

        return load_pretrained
    raise AttributeError(f"module 'xbdcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names for `dir(xbdcnn)` and tab completion, including `load_pretrained`."""
    return sorted({*globals(), *__all__})
