"""X-BDCNN: blind denoising of radiographs, as a companion to read, re-run and use.

Importing the package is instant: `load_pretrained` brings in torch when it is first touched.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbdcnn.inference.pretrained import load_pretrained

__all__ = ["__version__", "load_pretrained"]

__version__ = version("xbdcnn")


def __getattr__(name: str) -> Any:
    """Import `load_pretrained` on first use; raise AttributeError for any unknown name."""
    if name == "load_pretrained":
        from xbdcnn.inference.pretrained import load_pretrained

        return load_pretrained
    raise AttributeError(f"module 'xbdcnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that `dir(xbdcnn)` and tab completion offer, the lazy one included."""
    return sorted({*globals(), *__all__})
