"""Radiographs: files, data sets with splits, built-in and shipped radiographs, patches.

The public names are imported on first use, so that `load_radiograph` does not need pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC_NAMES = {
    "builtin": ("BUILTIN_LAYOUT", "builtin_crop", "builtin_fields", "builtin_radiograph"),
    "chests": ("CHESTS", "halved", "load_chest"),
    "exposures": (
        "DETECTORS",
        "Exposures",
        "fetch_exposures",
        "load_exposures",
        "read_exposures",
    ),
    "files.radiograph": ("RadiographFile", "load_radiograph", "open_radiograph", "save_radiograph"),
    "files.window": ("Window",),
    "folders": ("SPLITS", "index_folder", "split_index"),
    "networks": ("fetch_networks",),
    "patches": ("central_crop", "dense_patches", "random_patches"),
    "sample": ("fetch_sample",),
    "source": ("Source", "find_source"),
    "store": ("PatchStore", "build_store"),
}
_MODULE_OF = {name: module for module, names in _PUBLIC_NAMES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name on first use; raise AttributeError for any other."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    """Names that `dir(xbdcnn.data)` and tab completion offer."""
    return sorted({*globals(), *__all__})
